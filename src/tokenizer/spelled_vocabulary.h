#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/token.h"

namespace gossamer {

/// A byte-level BPE vocabulary as model files spell it, for those who write such files.
struct SpelledVocabulary {
  std::vector<std::string> text_tokens;                         ///< by id from 0, in the byte-level alphabet
  std::vector<std::pair<TokenId, std::string>> special_tokens;  ///< by id: they follow the text tokens
  std::vector<std::pair<TokenId, TokenId>> merges;              ///< left and right, the first first
};

/// The first `num_text_tokens` (256 to kO200kTextTokens: the bytes come first) text tokens of o200k_harmony, all its
/// special tokens after them, and every way to split one of these text tokens into two of them: by token, then by left
/// part, as the published files list them.
SpelledVocabulary spell_o200k(uint32_t num_text_tokens);

}  // namespace gossamer
