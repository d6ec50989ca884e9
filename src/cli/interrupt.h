#pragma once

namespace gossamer::cli {

/// While one lives, Ctrl-C is a request that the program looks at, not its end; a second Ctrl-C before anybody took the
/// first one ends it all the same. System calls that wait return with EINTR.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
  /// Waits until `file` can be read. False where Ctrl-C came first, however close.
  static bool wait_readable(int file);
  /// The request is dealt with.
  static void clear();
};

}  // namespace gossamer::cli
