#include "engine/constrained_answer.h"

#include <exception>

namespace gossamer {

ConstrainedAnswer::ConstrainedAnswer(std::unique_ptr<TokenConstraint> constraint) : constraint_(std::move(constraint)) {
  look();
}

void ConstrainedAnswer::compute() {
  int expected = kUnknown;
  if (!state_.compare_exchange_strong(expected, kBusy)) return;
  try {
    mask_ = constraint_->allowed();
  } catch (const std::exception& problem) {  // out of memory: this answer ends, the thread goes on
    mask_ = make_error(ErrorCode::kInvalidInput, "what may come next could not be found: {}", problem.what());
  }
  release(kKnown);
}

Result<const TokenMask*> ConstrainedAnswer::mask() {
  compute();
  state_.wait(kBusy);
  return mask_;
}

Status ConstrainedAnswer::accept(TokenId token) {
  take();
  Status status = constraint_->accept(token);
  look();
  release(kUnknown);
  return status;
}

/// A compute() that was asked for long ago may begin at any moment: also between mask() and accept().
void ConstrainedAnswer::take() {
  int seen = state_;
  while (seen == kBusy || !state_.compare_exchange_weak(seen, kBusy)) {
    if (seen != kBusy) continue;
    state_.wait(kBusy);
    seen = state_;
  }
}

void ConstrainedAnswer::release(State state) {
  state_ = state;
  state_.notify_all();
}

void ConstrainedAnswer::look() {
  wants_company_ = !constraint_->has_mask_at_hand();
  must_end_ = constraint_->must_end();
}

}  // namespace gossamer
