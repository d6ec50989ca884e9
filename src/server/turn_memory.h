#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/tenant_fairness.h"
#include "harmony/conversation.h"

namespace gossamer::server {

struct ChatTurn;

/// What the model thought before it called a client's function, and what tools of the server did for it, by the id of
/// the call: many clients send back the call and its result and nothing else, and the model then thinks from the
/// beginning. Bounded in time and bytes; the oldest go first. Any thread.
class TurnMemory {
 public:
  struct Limits {
    uint64_t bytes = 64 << 20;
    double seconds = 3600;
  };
  TurnMemory() : TurnMemory(Limits{}) {}
  explicit TurnMemory(Limits limits) : limits_(limits) {}

  /// `messages`: what came before the call, in its turn.
  void keep(TenantId tenant, const std::string& call_id, std::vector<harmony::Message> messages);
  /// Gives turns with calls, and without reasoning of their own, what is remembered of them.
  void recall(TenantId tenant, std::vector<ChatTurn>& turns) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::string key;
    std::vector<harmony::Message> messages;
    uint64_t bytes = 0;
    Clock::time_point until;
  };
  void drop_oldest();

  const Limits limits_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the oldest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  uint64_t bytes_ = 0;
};

}  // namespace gossamer::server
