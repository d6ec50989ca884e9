#pragma once

#include <condition_variable>
#include <cstddef>
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
  WorkLine(size_t num_threads, size_t most_waiting) : num_threads_(num_threads), most_waiting_(most_waiting) {}
  ~WorkLine() { stop(); }
  WorkLine(const WorkLine&) = delete;
  WorkLine& operator=(const WorkLine&) = delete;

  /// `work` must not throw. False: as many wait as may, or it has been stopped; `work` is dropped.
  bool post(std::function<void()> work);
  /// Waits for what has begun; what has not is dropped.
  void stop();

 private:
  void run();

  const size_t num_threads_, most_waiting_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::function<void()>> line_;
  size_t num_idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gossamer::server
