#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gossamer::server {

/// Work that takes too long for the threads that read requests: threads of its own do it, in the order in which it
/// came. They start with the first work. Any thread.
class WorkLine {
 public:
  /// `most_waiting_bytes`: what all that waits may keep in memory.
  WorkLine(size_t num_threads, size_t most_waiting, uint64_t most_waiting_bytes = UINT64_MAX)
      : num_threads_(num_threads), most_waiting_(most_waiting), most_waiting_bytes_(most_waiting_bytes) {}
  ~WorkLine() { stop(); }
  WorkLine(const WorkLine&) = delete;
  WorkLine& operator=(const WorkLine&) = delete;

  /// `work` must not throw; `bytes` is what it keeps in memory until it is done. False: as much waits as may (one,
  /// however large, always may), or it has been stopped; `work` is dropped.
  bool post(std::function<void()> work, uint64_t bytes = 0);
  /// Waits for what has begun; what has not is dropped.
  void stop();

 private:
  struct Waiting {
    std::function<void()> work;
    uint64_t bytes = 0;
  };
  void run();

  const size_t num_threads_, most_waiting_;
  const uint64_t most_waiting_bytes_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Waiting> line_;
  uint64_t waiting_bytes_ = 0;
  size_t num_idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gossamer::server
