#include "engine/mask_worker.h"

namespace gossamer {

namespace {
constexpr size_t kThreads = 2;  // a slow grammar does not hold up the others
}

MaskWorker::~MaskWorker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void MaskWorker::post(std::shared_ptr<ConstrainedAnswer> answer) {
  {
    std::lock_guard lock(mutex_);
    line_.push_back(std::move(answer));
    if (threads_.size() < kThreads) threads_.emplace_back([this] { work(); });
  }
  news_.notify_one();
}

void MaskWorker::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    news_.wait(lock, [&] { return stopping_ || !line_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<ConstrainedAnswer> answer = std::move(line_.front());
    line_.pop_front();
    lock.unlock();
    answer->compute();
    lock.lock();
  }
}

}  // namespace gossamer
