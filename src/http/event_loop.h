#pragma once

#include <functional>
#include <memory>
#include <span>

#include "http/deadlines.h"

namespace gossamer::http {

/// What a descriptor can be waited for.
enum class Readiness : uint8_t {
  kRead,
  kWrite,
  kBroken,  ///< an error, or both directions ended
};

/// Someone who waits for a descriptor; called on the loop's thread.
class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void on_ready(Readiness readiness) = 0;
};

/// Someone who can be called to the loop's thread from another.
class Wakeable {
 public:
  virtual ~Wakeable() = default;
  virtual void on_wake() = 0;
};

/// One thread that waits for sockets and times, and calls those who wait.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();

  void start();
  /// Ends the thread; nothing is called afterwards. Not from the thread itself.
  void stop();

  /// Any thread: runs `work` on the loop's thread, soon.
  void post(std::function<void()> work);
  /// Any thread: calls `who`, soon, together with all that were woken meanwhile. Cheap: only the first of them costs a
  /// system call.
  void wake(std::shared_ptr<Wakeable> who);

  // The rest on the loop's thread only.

  void set_deadline(Timed& timed, TimePoint due);
  void remove_deadline(Timed& timed);
  /// Bytes that whoever runs may read into; the next one overwrites them. Idle connections need no buffer this way.
  std::span<char> scratch();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// A file descriptor that a loop watches. Owns it.
class Descriptor {
 public:
  Descriptor(EventLoop& loop, int fd);
  /// Closes it.
  ~Descriptor();

  int fd() const { return fd_; }
  /// Calls `who` once when the descriptor is ready. Dropped without a call by close(); `who` is kept alive until then.
  void wait(Readiness readiness, std::shared_ptr<Pollable> who);
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int fd_;
};

}  // namespace gossamer::http
