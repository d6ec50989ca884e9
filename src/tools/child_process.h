#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/unique_fd.h"
#include "tools/tool.h"

namespace gossamer::tools {

struct ChildOptions {
  std::vector<std::string> command;      ///< a path, or a name to be looked for in PATH, and arguments
  std::vector<std::string> environment;  ///< "NAME=value"; nothing else is inherited
  bool merges_errors = false;            ///< stderr comes with stdout; else it goes nowhere
  bool reports = false;                  ///< it has a descriptor 3 to write to, see report()
};

/// A process of our own that is talked to through its stdin and stdout. It ends with its owner.
class ChildProcess {
 public:
  /// Errors: there is no such program, or the system refuses.
  static Result<ChildProcess> start(const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  /// Writes all of it, or gives up: the deadline, a cancellation, or the process reads no more.
  bool write(std::string_view bytes, Clock::time_point deadline, const Cancellation& cancelled);

  enum class ReadEnd : unsigned char { kBytes, kEnd, kDeadline, kCancelled };
  /// Waits for some of its output and appends it.
  ReadEnd read(std::string& into, Clock::time_point deadline, const Cancellation& cancelled);

  /// What it wrote to descriptor 3 until it closed that; waits for it.
  std::string report(Clock::time_point deadline, const Cancellation& cancelled);

  struct Ending {
    int exit_code = 0;       ///< or 128 and the number of its signal
    double cpu_seconds = 0;  ///< its own, and of those of its children that it has waited for
  };
  /// Ends it at once, if it has not ended.
  Ending end();
  /// As end(), but it is asked first (SIGTERM), so that it can end its children and wait for them.
  Ending end_asked(double most_seconds);

 private:
  ChildProcess() = default;

  int process_ = -1;
  http::UniqueFd input_, output_, report_;
};

}  // namespace gossamer::tools
