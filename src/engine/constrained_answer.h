#pragma once

#include <atomic>
#include <memory>

#include "sampling/token_constraint.h"

namespace gossamer {

/// The constraint of one answer and the mask for its next token, which another thread may compute while the model does.
/// The engine's side calls accept() and mask() in turn; compute() may run beside them on one other thread.
class ConstrainedAnswer {
 public:
  explicit ConstrainedAnswer(std::unique_ptr<TokenConstraint> constraint);

  /// True where computing the next mask is worth another thread.
  bool wants_company() const { return wants_company_; }
  /// Another thread's work: computes the mask, unless mask() was first. Any thread, at any time.
  void compute();

  /// The mask for the next token, computed here where nobody has begun. It is valid until accept(). Errors: as
  /// TokenConstraint::allowed.
  Result<const TokenMask*> mask();
  /// Errors: as TokenConstraint::accept.
  Status accept(TokenId token);
  /// As of the last accept().
  bool must_end() const { return must_end_; }

 private:
  enum State : int { kUnknown, kBusy, kKnown };
  /// Whoever makes it kBusy has the constraint to himself until he ends that.
  void take();
  void release(State state);
  void look();

  std::unique_ptr<TokenConstraint> constraint_;
  std::atomic<int> state_{kUnknown};
  Result<const TokenMask*> mask_ = static_cast<const TokenMask*>(nullptr);  // kKnown
  bool wants_company_ = false, must_end_ = false;                           // of the engine's side
};

}  // namespace gossamer
