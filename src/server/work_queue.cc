#include "server/work_queue.h"

#include <utility>

namespace gossamer::server {

WorkQueue::WorkQueue(uint64_t most_waiting_bytes)
    : most_waiting_bytes_(most_waiting_bytes), thread_([this] { run(); }) {}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  thread_.join();
}

bool WorkQueue::add(std::function<void()> work, uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty() && waiting_bytes_ + bytes > most_waiting_bytes_) return false;
    waiting_.push_back({std::move(work), bytes});
    waiting_bytes_ += bytes;
  }
  news_.notify_one();
  return true;
}

void WorkQueue::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      work = std::move(waiting_.front().work);
      waiting_bytes_ -= waiting_.front().bytes;
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace gossamer::server
