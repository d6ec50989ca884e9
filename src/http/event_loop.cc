#include "http/event_loop.h"

#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gossamer::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr size_t kScratchBytes = 64u << 10;
}

struct EventLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer timer{context};
  TimePoint timer_at = kNever;
  Deadlines deadlines;
  std::unique_ptr<char[]> scratch{new char[kScratchBytes]};
  std::thread thread;

  std::mutex woken_mutex;
  std::vector<std::shared_ptr<Wakeable>> woken;  // guarded by woken_mutex
  bool stopped = false;                          // guarded by woken_mutex
  std::vector<std::shared_ptr<Wakeable>> being_called;

  void call_woken() {
    {
      const std::lock_guard lock(woken_mutex);
      woken.swap(being_called);
    }
    for (const auto& who : being_called) who->on_wake();
    being_called.clear();
  }

  void arm_timer() {
    const TimePoint earliest = deadlines.earliest();
    if (earliest >= timer_at) return;
    timer_at = earliest;
    timer.expires_at(earliest);
    timer.async_wait([this](error_code error) {
      if (error) return;  // armed anew for an earlier time
      timer_at = kNever;
      deadlines.run(Clock::now());
      arm_timer();
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() {
  stop();
}

void EventLoop::start() {
  impl_->thread = std::thread([this] { impl_->context.run(); });
}

void EventLoop::stop() {
  if (!impl_->thread.joinable()) return;
  // Behind everything that is under way, and behind the waits that it ends: they own those who wait.
  post([this] { post([this] { impl_->context.stop(); }); });
  impl_->thread.join();
  std::vector<std::shared_ptr<Wakeable>> never_called;
  const std::lock_guard lock(impl_->woken_mutex);
  impl_->stopped = true;
  never_called.swap(impl_->woken);
}

void EventLoop::post(std::function<void()> work) {
  asio::post(impl_->context, std::move(work));
}

void EventLoop::wake(std::shared_ptr<Wakeable> who) {
  bool first;
  {
    const std::lock_guard lock(impl_->woken_mutex);
    if (impl_->stopped) return;
    first = impl_->woken.empty();
    impl_->woken.push_back(std::move(who));
  }
  if (first) asio::post(impl_->context, [impl = impl_.get()] { impl->call_woken(); });
}

void EventLoop::set_deadline(Timed& timed, TimePoint due) {
  impl_->deadlines.set(timed, due);
  impl_->arm_timer();
}

void EventLoop::remove_deadline(Timed& timed) {
  impl_->deadlines.remove(timed);
}

std::span<char> EventLoop::scratch() {
  return {impl_->scratch.get(), kScratchBytes};
}

struct Descriptor::Impl {
  asio::posix::stream_descriptor descriptor;
};

Descriptor::Descriptor(EventLoop& loop, int fd)
    : impl_(std::make_unique<Impl>(Impl{asio::posix::stream_descriptor(loop.impl().context)})), fd_(fd) {
  error_code ignored;  // a descriptor that cannot be watched is broken at the first wait
  impl_->descriptor.assign(fd, ignored);
}

Descriptor::~Descriptor() {
  close();
}

void Descriptor::wait(Readiness readiness, std::shared_ptr<Pollable> who) {
  using Base = asio::posix::descriptor_base;
  const auto type = readiness == Readiness::kRead    ? Base::wait_read
                    : readiness == Readiness::kWrite ? Base::wait_write
                                                     : Base::wait_error;
  impl_->descriptor.async_wait(type, [who = std::move(who), readiness](error_code error) {
    if (error != asio::error::operation_aborted) who->on_ready(error ? Readiness::kBroken : readiness);
  });
}

void Descriptor::close() {
  if (fd_ < 0) return;
  const int fd = std::exchange(fd_, -1);
  error_code ignored;
  if (impl_->descriptor.is_open())
    impl_->descriptor.close(ignored);
  else
    ::close(fd);
}

}  // namespace gossamer::http
