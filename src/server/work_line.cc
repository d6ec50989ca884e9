#include "server/work_line.h"

#include <utility>

namespace gossamer::server {

bool WorkLine::post(std::function<void()> work, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (stopping_ || line_.size() >= most_waiting_) return false;
  if (!line_.empty() && waiting_bytes_ + bytes > most_waiting_bytes_) return false;
  line_.push_back({std::move(work), bytes});
  waiting_bytes_ += bytes;
  if (line_.size() > num_idle_ && threads_.size() < num_threads_) threads_.emplace_back([this] { run(); });
  news_.notify_one();
  return true;
}

void WorkLine::stop() {
  std::deque<Waiting> dropped;
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(line_);
    threads.swap(threads_);
  }
  news_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void WorkLine::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++num_idle_;
    news_.wait(lock, [&] { return stopping_ || !line_.empty(); });
    --num_idle_;
    if (stopping_) return;
    std::function<void()> work = std::move(line_.front().work);
    waiting_bytes_ -= line_.front().bytes;
    line_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it holds may end with it: not under the lock
    lock.lock();
  }
}

}  // namespace gossamer::server
