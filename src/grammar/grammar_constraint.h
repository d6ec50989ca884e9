#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "grammar/vocabulary.h"
#include "sampling/token_constraint.h"

namespace gossamer::grammar {

/// How an error begins that ends an answer because of its grammar: the rest is for whoever asked for the grammar.
inline constexpr std::string_view kGrammarFailed = "the grammar cannot be followed further: ";

/// A text that a grammar describes, as far as it is written. Where it may end the vocabulary's end token is allowed
/// too.
class GrammarConstraint final : public TokenConstraint {
 public:
  /// Takes `grammar`. `is_json`: the text ends with its last bracket or quote, no white space behind it.
  GrammarConstraint(std::shared_ptr<const Vocabulary> vocabulary, GossamerGrammar* grammar, bool is_json);

  Result<const TokenMask*> allowed() override;
  bool has_mask_at_hand() const override { return is_known_; }
  Status accept(TokenId token) override;
  bool may_end() const override { return may_end_; }
  bool must_end() const override { return must_end_; }
  std::unique_ptr<TokenConstraint> clone() const override;

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  /// Of the compiled grammar, which all clones share.
  uint64_t compiled_bytes() const { return grammar_ ? gossamer_grammar_bytes(grammar_.get()) : 0; }

 private:
  struct Free {
    void operator()(GossamerGrammar* grammar) const { gossamer_grammar_free(grammar); }
  };
  Error library_error() const;
  void look();

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unique_ptr<GossamerGrammar, Free> grammar_;  // null: there was no memory for a clone
  bool is_json_;
  bool may_end_ = false, must_end_ = false;
  char last_byte_ = '\0';
  std::optional<TokenMask> mask_;
  bool is_known_ = false;  // mask_ is of this place
};

}  // namespace gossamer::grammar
