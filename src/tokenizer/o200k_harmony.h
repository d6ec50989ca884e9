#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/bpe_tokenizer.h"

namespace gossamer {

inline constexpr uint32_t kO200kTextTokens = 199998;  // ids 0 .. 199997
inline constexpr uint32_t kO200kNamedTokens = 200019;
inline constexpr uint32_t kO200kHeadRows = 201088;  // of gpt-oss-20b and -120b
/// Ways to split a text token into two text tokens: the merges of the published tokenizer.json, which lists each of
/// them.
inline constexpr uint32_t kO200kMerges = 446189;

/// Tokenizer::o200k_harmony() with its inner side.
const std::shared_ptr<const BpeTokenizer>& built_in_o200k();

/// The special tokens of gpt-oss' tokenizer.json: 199998 to 200018.
SpecialTokens o200k_special_tokens();

}  // namespace gossamer
