#include "engine/token_chooser.h"

#include <algorithm>
#include <chrono>

#include "sampling/masked_mass.h"

namespace gossamer {

TokenChooser::TokenChooser(const EngineRequest& request, uint32_t vocab_size, const TokenMask* sampleable,
                           bool draws_elsewhere)
    : sampler_(request.sampling, request.prompt),
      top_logprobs_(request.top_logprobs),
      sampleable_(sampleable),
      min_tokens_(request.min_tokens),
      vocab_size_(vocab_size),
      draws_elsewhere_(draws_elsewhere) {
  if (request.min_tokens > 0 && !request.constraint && !request.stop_tokens.empty()) {
    early_mask_ = sampleable ? *sampleable : TokenMask(vocab_size, true);
    for (TokenId token : request.stop_tokens)
      if (token < vocab_size) early_mask_->forbid(token);
  }
  if (request.constraint) constrained_ = std::make_shared<ConstrainedAnswer>(request.constraint->clone());
}

const TokenMask* TokenChooser::head_mask(size_t answer_tokens) const {
  return early_mask_ && answer_tokens < min_tokens_ ? &*early_mask_ : sampleable_;
}

TopWish TokenChooser::wish(kernels::TopLogits* top) const {
  TopWish wish;
  if (draws_elsewhere_) {
    wish.stays = true;
    wish.k = top_logprobs_.value_or(0);
    wish.wants_log_sum_exp = top_logprobs_ || constrained_;  // what a mask takes away is a part of it
    wish.top = top;
    return wish;
  }
  if (constrained_ || sampler_.needed_logits() == 0 || (top_logprobs_ && !sampler_.changes().empty())) return wish;
  wish.k = std::max(sampler_.needed_logits(), top_logprobs_.value_or(0));
  wish.wants_log_sum_exp = top_logprobs_.has_value();
  wish.changes = sampler_.changes();
  wish.top = top;
  return wish;
}

TokenChooser::Choice TokenChooser::choose(std::span<const float> logits, const kernels::TopLogits& top,
                                          uint32_t position) {
  Choice choice;
  const TokenMask* mask = nullptr;
  if (constrained_) {
    const Result<const TokenMask*> allowed = wait_for_mask();
    choice.mask_wait_seconds = mask_wait_seconds_;
    if (!allowed.ok()) {
      choice.token = allowed.error();
      return choice;
    }
    mask = *allowed;
    masked_ += {masked_mass(logits, *mask), 1};
  }
  choice.token = logits.empty() ? sampler_.sample(top, position) : sampler_.sample(logits, position, mask);
  if (!choice.token.ok()) return choice;
  if (top_logprobs_)
    choice.logprobs = logits.empty() ? logprobs_of(top, *choice.token, *top_logprobs_)
                                     : logprobs_of(logits, *choice.token, *top_logprobs_);
  accept(choice);
  return choice;
}

Result<DrawWish> TokenChooser::draw_wish(uint32_t row, uint32_t position, Drawn* drawn) {
  DrawWish wish;
  wish.row = row;
  wish.rule = sampler_.rule_at(position);
  wish.changes = sampler_.changes();
  wish.drawn = drawn;
  if (constrained_) {
    GOS_TRY(wish.mask, wait_for_mask());
  }
  return wish;
}

TokenChooser::Choice TokenChooser::choose(const Drawn& drawn, const kernels::TopLogits& top, uint32_t position) {
  Choice choice;
  if (constrained_) {
    choice.mask_wait_seconds = mask_wait_seconds_;
    masked_ += {drawn.masked_mass, 1};
  }
  if (drawn.token == Drawn::kNoToken) {
    choice.token = none_allowed(position);
    return choice;
  }
  choice.token = drawn.token;
  if (top_logprobs_) choice.logprobs = logprobs_of(top, kernels::Candidate{drawn.token, drawn.logit}, *top_logprobs_);
  accept(choice);
  return choice;
}

/// Later tokens see it; the constraint may say that nothing follows, or that something is wrong.
void TokenChooser::accept(Choice& choice) {
  sampler_.accept(*choice.token);
  if (!constrained_) return;
  if (Status accepted = constrained_->accept(*choice.token); !accepted.ok()) choice.token = accepted.error();
  choice.is_complete = constrained_->must_end();
}

/// Computes the mask where nobody has begun.
Result<const TokenMask*> TokenChooser::wait_for_mask() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const Result<const TokenMask*> mask = constrained_->mask();
  mask_wait_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  if (mask.ok() && (*mask)->vocab_size() != vocab_size_)
    return make_error(ErrorCode::kInvalidInput, "the constraint is made for {} tokens, but the model has {}",
                      (*mask)->vocab_size(), vocab_size_);
  return mask;
}

void TokenChooser::prepare(MaskWorker& worker) const {
  if (constrained_ && constrained_->wants_company()) worker.post(constrained_);
}

}  // namespace gossamer
