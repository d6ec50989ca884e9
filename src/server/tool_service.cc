#include "server/tool_service.h"

#include <utility>

namespace gossamer::server {

ToolService::ToolService(ToolServiceOptions options) : options_(std::move(options)) {
  if (options_.tools.empty()) return;
  for (size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
}

void ToolService::run(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && !threads_.empty()) {
      waiting_.push_back(std::move(work));
      news_.notify_one();
      return;
    }
  }
  work(true);
}

void ToolService::work() {
  for (;;) {
    Work next;
    bool stopping;
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      stopping = stopping_;
    }
    next(stopping);
  }
}

void ToolService::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

}  // namespace gossamer::server
