#include "tools/interpreter_places.h"

#include <algorithm>

namespace gossamer::tools {

Result<InterpreterPlaces::Place> InterpreterPlaces::take(Clock::time_point deadline, const Cancellation& cancelled) {
  constexpr Clock::duration kLook = std::chrono::milliseconds(50);
  std::unique_lock lock(mutex_);
  if ((num_free_ == 0 || !waiting_.empty()) && waiting_.size() >= most_waiting_)
    return make_error(ErrorCode::kBusy,
                      "all {} interpreters that may be alive at once are in use, and {} calls wait already",
                      num_places_, waiting_.size());
  const uint64_t number = next_number_++;
  waiting_.insert(number);
  const auto is_my_turn = [&] { return num_free_ > 0 && *waiting_.begin() == number; };
  while (!is_my_turn() && !cancelled.requested() && Clock::now() < deadline)
    news_.wait_for(lock, std::min(kLook, deadline - Clock::now()));
  const bool has_place = is_my_turn();
  waiting_.erase(number);
  news_.notify_all();  // the next in line may have its turn
  if (has_place) {
    --num_free_;
    return Place(shared_from_this());
  }
  if (cancelled.requested()) return make_error(ErrorCode::kCancelled, "nobody waits for it any more");
  return make_error(ErrorCode::kBusy,
                    "all {} interpreters that may be alive at once are in use, and none ended in time", num_places_);
}

void InterpreterPlaces::give_back() {
  const std::lock_guard lock(mutex_);
  ++num_free_;
  news_.notify_all();
}

}  // namespace gossamer::tools
