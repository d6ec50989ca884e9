#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {

/// A byte-level BPE vocabulary as a file spells it, not checked yet. Views into the file.
struct VocabularySource {
  struct Token {
    TokenId id;
    std::string_view text;
  };
  std::vector<Token> text_tokens;     // in the byte-level alphabet
  std::vector<Token> special_tokens;  // by name
  std::vector<std::pair<std::string_view, std::string_view>>
      merges;                // left, right, in the byte-level alphabet; first first
  bool whole_pieces = true;  // a piece that is a token is taken whole (Hugging Face: ignore_merges)
};

/// The tokenizer that `source` describes: the built-in one where it is just that, one that shares its text tokens where
/// only special tokens or head differ, else a new one. `head_rows` as in Tokenizer::from_tokenizer_json; `what` names
/// the file.
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(const VocabularySource& source, uint32_t head_rows,
                                                        std::string_view what);

/// Text of a file for an error message: shortened, control characters and ill-formed UTF-8 replaced.
std::string in_quotes(std::string_view text);

}  // namespace gossamer
