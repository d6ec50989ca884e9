#include "server/work_line.h"

#include <utility>

namespace gossamer::server {

bool WorkLine::post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (stopping_ || line_.size() >= most_waiting_) return false;
  line_.push_back(std::move(work));
  if (line_.size() > num_idle_ && threads_.size() < num_threads_) threads_.emplace_back([this] { run(); });
  news_.notify_one();
  return true;
}

void WorkLine::stop() {
  std::deque<std::function<void()>> dropped;
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
    std::function<void()> work = std::move(line_.front());
    line_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it holds may end with it: not under the lock
    lock.lock();
  }
}

}  // namespace gossamer::server
