#pragma once

#include <chrono>
#include <map>

namespace gossamer::http {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
constexpr TimePoint kNever = TimePoint::max();

inline Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

class Deadlines;

/// Something that wants to be called when a time has come.
class Timed {
 public:
  Timed() = default;
  Timed(const Timed&) = delete;
  virtual ~Timed() = default;
  virtual void on_deadline() = 0;

 private:
  friend class Deadlines;
  TimePoint due_ = kNever, queued_ = kNever;
  std::multimap<TimePoint, Timed*>::iterator place_;
};

/// The deadlines of one loop, one for each Timed. Deadlines mostly move away (a stream's, with every piece): that costs
/// a store, because the place in the queue is only put right when its old time comes.
class Deadlines {
 public:
  /// Replaces the deadline of `timed`; kNever: none. It must be removed before it goes.
  void set(Timed& timed, TimePoint due);
  void remove(Timed& timed);

  /// When run() is to be called next.
  TimePoint earliest() const { return queue_.empty() ? kNever : queue_.begin()->first; }
  /// Calls everyone whose deadline is not after `now`; their deadlines are gone then.
  void run(TimePoint now);

 private:
  void enqueue(Timed& timed, TimePoint at);

  std::multimap<TimePoint, Timed*> queue_;
};

}  // namespace gossamer::http
