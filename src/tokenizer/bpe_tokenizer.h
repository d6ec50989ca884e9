#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace gossamer {

/// The one implementation of Tokenizer: text tokens, special tokens and the size of the head.
class BpeTokenizer final : public Tokenizer {
 public:
  /// No id is both in `vocabulary` and in `specials`, and all are below `head_rows`. Vocabularies can be shared: models
  /// differ in their heads and special tokens more often than in their text tokens.
  BpeTokenizer(std::shared_ptr<const Vocabulary> vocabulary, SpecialTokens specials, uint32_t head_rows);

  using Tokenizer::encode;
  void encode(std::string_view text, std::vector<TokenId>& out) const override;
  void encode_with_specials(std::string_view text, std::vector<TokenId>& out) const override;
  std::string_view token_bytes(TokenId id) const override;
  TokenKind kind(TokenId id) const override;
  std::optional<TokenId> text_token(std::string_view bytes) const override;
  std::optional<TokenId> special(std::string_view name) const override { return specials_.find(name); }
  uint32_t head_rows() const override { return head_rows_; }
  uint32_t named_tokens() const override { return named_tokens_; }

  const std::shared_ptr<const Vocabulary>& vocabulary() const { return vocabulary_; }
  const SpecialTokens& specials() const { return specials_; }

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  SpecialTokens specials_;
  uint32_t head_rows_;
  uint32_t named_tokens_;
};

}  // namespace gossamer
