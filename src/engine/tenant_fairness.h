#pragma once

#include <unordered_map>

#include "engine/sequence.h"

namespace gossamer {

/// Virtual token counters (Sheng et al., "Fairness in Serving Large Language Models", 2024): who has been served least
/// comes next. A tenant who was away does not save up: he begins again at the least of those who are active, or at his
/// own count where that is more.
class TenantFairness {
 public:
  /// A request of `tenant` waits or runs from now on.
  void enter(TenantId tenant);
  void leave(TenantId tenant);
  void charge(TenantId tenant, uint64_t tokens);
  uint64_t served(TenantId tenant) const;

 private:
  struct Account {
    uint64_t served = 0;
    uint32_t requests = 0;
  };
  std::unordered_map<TenantId, Account> accounts_;  // of the active, and of some who were
};

}  // namespace gossamer
