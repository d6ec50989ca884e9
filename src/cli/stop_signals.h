#pragma once

#include <optional>

namespace gossamer::cli {

/// Signals that a server lives with, taken one at a time instead of interrupting whoever runs: make one before any
/// thread, which then has them blocked too.
class StopSignals {
 public:
  StopSignals();

  enum class Signal { kStop, kReload, kWake };
  /// The next one; waits at most `seconds`, a negative number is for ever. SIGTERM and SIGINT are kStop, SIGHUP is
  /// kReload.
  std::optional<Signal> wait(double seconds = -1) const;
  /// Ends a wait() with kWake, from any thread.
  static void wake();
};

}  // namespace gossamer::cli
