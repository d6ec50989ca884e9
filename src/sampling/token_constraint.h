#pragma once

#include <memory>

#include "base/result.h"
#include "base/token_mask.h"

namespace gossamer {

/// What an answer may be, token by token: a frame, a grammar, or one inside the other. It knows the tokens that were
/// accepted and says which may come next; sampling is somebody else's work, also where only one token may come.
///
/// Threads: one at a time for each object; different objects, clones of one another too, at the same time. clone() may
/// be called from any number of threads on an object that nobody changes.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  /// The tokens that may come next, all of them with a name; valid until the next accept(). Empty where must_end().
  /// Errors: no token leads on (a dead end), or finding the tokens took more than was agreed.
  virtual Result<const TokenMask*> allowed() = 0;

  /// True where the next allowed() takes some microseconds: not worth another thread.
  virtual bool has_mask_at_hand() const = 0;

  /// The answer goes on with `token`. Errors: the token is not one of allowed(); the object is then as it was.
  virtual Status accept(TokenId token) = 0;

  /// The answer so far is complete: it may end here, and where must_end() nothing may follow.
  virtual bool may_end() const = 0;
  virtual bool must_end() const = 0;

  /// The same constraint at the same place, which goes its own way from here: for another answer to the same request,
  /// and for drafted tokens, which are tried on a clone.
  virtual std::unique_ptr<TokenConstraint> clone() const = 0;
};

}  // namespace gossamer
