#include "server/turn_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/chat_prompt.h"

namespace gossamer::server {
namespace {

constexpr uint64_t kEntryBytes = 512;  // what an entry takes beside its texts

std::string key_of(TenantId tenant, const std::string& call_id) {
  return fmt::format("{} {}", tenant, call_id);
}

uint64_t bytes_of(const std::vector<harmony::Message>& messages) {
  uint64_t bytes = kEntryBytes;
  for (const harmony::Message& message : messages) bytes += kEntryBytes + message.text().size();
  return bytes;
}

bool has_tool_results(const std::vector<harmony::Message>& messages) {
  return std::any_of(messages.begin(), messages.end(),
                     [](const harmony::Message& message) { return message.role == harmony::Role::kTool; });
}

}  // namespace

void TurnMemory::keep(TenantId tenant, const std::string& call_id, std::vector<harmony::Message> messages) {
  const uint64_t bytes = bytes_of(messages);
  if (messages.empty() || bytes > limits_.bytes) return;
  const auto lifetime = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits_.seconds));
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  while (!entries_.empty() && (bytes_ + bytes > limits_.bytes || entries_.front().until <= now)) drop_oldest();
  std::string key = key_of(tenant, call_id);
  if (by_key_.contains(key)) return;
  entries_.push_back({key, std::move(messages), bytes, now + lifetime});
  by_key_.emplace(std::move(key), std::prev(entries_.end()));
  bytes_ += bytes;
}

void TurnMemory::drop_oldest() {
  bytes_ -= entries_.front().bytes;
  by_key_.erase(entries_.front().key);
  entries_.pop_front();
}

void TurnMemory::recall(TenantId tenant, std::vector<ChatTurn>& turns) const {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  for (ChatTurn& turn : turns) {
    if (turn.calls.empty() || turn.calls.front().id.empty()) continue;
    const auto found = by_key_.find(key_of(tenant, turn.calls.front().id));
    if (found == by_key_.end() || found->second->until <= now) continue;
    // What a client sends itself counts, but it never knew what the server's tools gave.
    const std::vector<harmony::Message>& messages = found->second->messages;
    if (turn.reasoning.empty() || has_tool_results(messages)) turn.remembered = messages;
  }
}

}  // namespace gossamer::server
