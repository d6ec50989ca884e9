#include "server/responses_truncation.h"

#include <algorithm>

namespace gossamer::server {
namespace {

/// Three times what a token of ordinary text holds.
constexpr uint64_t kMostBytesPerToken = 16;

std::vector<size_t> user_turns(const std::vector<ChatTurn>& turns) {
  std::vector<size_t> places;
  for (size_t i = 0; i < turns.size(); ++i)
    if (turns[i].role == ChatTurn::Role::kUser) places.push_back(i);
  return places;
}

uint64_t bytes_of(const ChatTurn& turn) {
  uint64_t bytes = turn.text.size() + turn.reasoning.size();
  for (const PastCall& call : turn.calls) bytes += call.name.size() + call.arguments.size();
  return bytes;
}

void drop_before(std::vector<ChatTurn>& turns, size_t end) {
  const auto stays = [](const ChatTurn& turn) {
    return turn.role == ChatTurn::Role::kSystem || turn.role == ChatTurn::Role::kDeveloper;
  };
  const auto last = turns.begin() + static_cast<std::ptrdiff_t>(end);
  turns.erase(std::remove_if(turns.begin(), last, [&](const ChatTurn& turn) { return !stays(turn); }), last);
}

}  // namespace

bool drop_oldest(std::vector<ChatTurn>& turns, size_t count) {
  const std::vector<size_t> users = user_turns(turns);
  if (users.size() < 2) return false;
  drop_before(turns, users[std::min(count, users.size() - 1)]);
  return true;
}

void drop_hopeless(std::vector<ChatTurn>& turns, uint32_t max_tokens) {
  const std::vector<size_t> users = user_turns(turns);
  if (users.size() < 2) return;
  uint64_t bytes = 0;
  size_t kept = users.size() - 1;  // from this one of the user's turns on
  for (size_t i = turns.size(); i > 0; --i) {
    bytes += bytes_of(turns[i - 1]);
    if (bytes > kMostBytesPerToken * max_tokens) break;
    if (kept > 0 && users[kept - 1] == i - 1) --kept;
  }
  if (kept > 0) drop_before(turns, users[kept]);
}

}  // namespace gossamer::server
