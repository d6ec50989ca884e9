#include "engine/tenant_fairness.h"

#include <algorithm>

namespace gossamer {

void TenantFairness::enter(TenantId tenant) {
  constexpr size_t kMostAccounts = 10'000;
  if (accounts_.size() > kMostAccounts)
    std::erase_if(accounts_, [](const auto& entry) { return entry.second.requests == 0; });
  Account& account = accounts_[tenant];
  if (account.requests++ > 0) return;
  uint64_t least = ~0ull;
  for (const auto& [other, theirs] : accounts_)
    if (other != tenant && theirs.requests > 0) least = std::min(least, theirs.served);
  if (least != ~0ull) account.served = std::max(account.served, least);
}

void TenantFairness::leave(TenantId tenant) {
  --accounts_[tenant].requests;
}

void TenantFairness::charge(TenantId tenant, uint64_t tokens) {
  accounts_[tenant].served += tokens;
}

uint64_t TenantFairness::served(TenantId tenant) const {
  const auto account = accounts_.find(tenant);
  return account == accounts_.end() ? 0 : account->second.served;
}

}  // namespace gossamer
