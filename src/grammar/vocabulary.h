#pragma once

#include <memory>

#include "base/result.h"
#include "grammar/grammar_library.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::grammar {

/// A tokenizer as the grammar library has it: a trie of its text tokens, which takes a second to make for 200,000.
class Vocabulary {
 public:
  /// Errors: the library's; it is not there.
  static Result<std::shared_ptr<const Vocabulary>> create(std::shared_ptr<const Tokenizer> tokenizer);
  ~Vocabulary() { gossamer_grammar_free_vocabulary(library_); }
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  const GossamerVocabulary* library() const { return library_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  uint32_t vocab_size() const { return tokenizer_->head_rows(); }
  /// The special token that stands for the end of a text; nothing where the tokenizer has none.
  std::optional<TokenId> end_token() const { return end_token_; }

 private:
  explicit Vocabulary(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<TokenId> end_token_;
  GossamerVocabulary* library_ = nullptr;
};

}  // namespace gossamer::grammar
