#include "http/deadlines.h"

namespace gossamer::http {

void Deadlines::enqueue(Timed& timed, TimePoint at) {
  timed.queued_ = at;
  timed.place_ = queue_.emplace(at, &timed);
}

void Deadlines::set(Timed& timed, TimePoint due) {
  timed.due_ = due;
  if (due >= timed.queued_) return;
  if (timed.queued_ != kNever) queue_.erase(timed.place_);
  enqueue(timed, due);
}

void Deadlines::remove(Timed& timed) {
  if (timed.queued_ != kNever) queue_.erase(timed.place_);
  timed.due_ = timed.queued_ = kNever;
}

void Deadlines::run(TimePoint now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    Timed& timed = *queue_.begin()->second;
    queue_.erase(queue_.begin());
    timed.queued_ = kNever;
    if (timed.due_ > now) {
      if (timed.due_ != kNever) enqueue(timed, timed.due_);
      continue;
    }
    timed.due_ = kNever;
    timed.on_deadline();
  }
}

}  // namespace gossamer::http
