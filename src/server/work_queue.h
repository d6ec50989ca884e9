#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace gossamer::server {

/// Work that takes too long for a thread of the transport, where others' streams would wait for it: one thread does it
/// in the order in which it came.
class WorkQueue {
 public:
  /// `most_waiting_bytes`: what all that waits may keep in memory.
  explicit WorkQueue(uint64_t most_waiting_bytes);
  /// Finishes what runs; what waits is dropped.
  ~WorkQueue();

  /// `bytes`: what `work` keeps in memory until it is done. False: too much waits already, and it is not taken. `work`
  /// must not throw.
  bool add(std::function<void()> work, uint64_t bytes);

 private:
  struct Waiting {
    std::function<void()> work;
    uint64_t bytes = 0;
  };
  void run();

  const uint64_t most_waiting_bytes_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Waiting> waiting_;
  uint64_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gossamer::server
