#include "grammar/grammar_constraint.h"

#include <string_view>

namespace gossamer::grammar {

GrammarConstraint::GrammarConstraint(std::shared_ptr<const Vocabulary> vocabulary, GossamerGrammar* grammar,
                                     bool is_json)
    : vocabulary_(std::move(vocabulary)), grammar_(grammar), is_json_(is_json) {
  if (grammar_) look();
}

std::unique_ptr<TokenConstraint> GrammarConstraint::clone() const {
  auto copy = std::make_unique<GrammarConstraint>(
      vocabulary_, grammar_ ? gossamer_grammar_clone(grammar_.get()) : nullptr, is_json_);
  copy->may_end_ = may_end_;
  copy->must_end_ = must_end_;
  copy->last_byte_ = last_byte_;
  return copy;
}

Error GrammarConstraint::library_error() const {
  char error[512] = "there is no memory for it";
  if (grammar_) gossamer_grammar_error(grammar_.get(), error, sizeof error);
  return make_error(ErrorCode::kInvalidInput, "{}{}", kGrammarFailed, error);
}

Result<const TokenMask*> GrammarConstraint::allowed() {
  if (is_known_) return &*mask_;
  if (!mask_) mask_.emplace(vocabulary_->vocab_size(), false);
  if (must_end_) {
    mask_->forbid_all();
    if (vocabulary_->end_token()) mask_->allow(*vocabulary_->end_token());
  } else if (!grammar_ || !gossamer_grammar_mask(grammar_.get(), mask_->words().data(), mask_->words().size())) {
    return library_error();
  }
  is_known_ = true;
  return &*mask_;
}

Status GrammarConstraint::accept(TokenId token) {
  GOS_TRY(const TokenMask* mask, allowed());
  if (token >= mask->vocab_size() || !mask->allows(token))
    return make_error(ErrorCode::kInvalidInput, "token {} cannot stand here, says the grammar", token);
  is_known_ = false;
  if (token == vocabulary_->end_token()) {
    may_end_ = must_end_ = true;
    return {};
  }
  if (!gossamer_grammar_accept(grammar_.get(), token)) return library_error();
  const std::string_view bytes = vocabulary_->tokenizer().token_bytes(token);
  if (!bytes.empty()) last_byte_ = bytes.back();
  look();
  return {};
}

/// Where the text stands now. JSON that ends with a bracket or a quote is complete there.
void GrammarConstraint::look() {
  const uint32_t state = gossamer_grammar_state(grammar_.get());
  may_end_ = (state & 1) != 0;
  const bool json_ends = is_json_ && may_end_ && (last_byte_ == '}' || last_byte_ == ']' || last_byte_ == '"');
  must_end_ = (state & 2) != 0 || json_ends;
}

}  // namespace gossamer::grammar
