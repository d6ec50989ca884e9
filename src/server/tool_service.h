#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tools/toolset.h"

namespace gossamer::server {

struct ToolServiceOptions {
  tools::Toolset tools;
  size_t threads = 8;              ///< calls that run at once; others wait
  uint32_t most_rounds = 32;       ///< calls within one answer
  double call_seconds = 120;       ///< of one call, with its wait for a thread
  size_t output_bytes = 32 << 10;  ///< of a result that the model reads
};

/// The tools that the server runs itself, and the threads that wait for them: neither the engine's nor the transport's.
class ToolService {
 public:
  explicit ToolService(ToolServiceOptions options);
  ~ToolService() { stop(); }
  ToolService(const ToolService&) = delete;
  ToolService& operator=(const ToolService&) = delete;

  const tools::Toolset& tools() const { return options_.tools; }
  const ToolServiceOptions& options() const { return options_; }

  /// `work` is told whether the service is being stopped: then it ends what it is for, and calls nothing. It is always
  /// run, on one of the threads, or here where they have ended.
  using Work = std::function<void(bool stopping)>;
  void run(Work work);
  /// What has not begun is run at once with `stopping`; what has is waited for.
  void stop();

 private:
  void work();

  const ToolServiceOptions options_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Work> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gossamer::server
