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

  /// Ends it, if it has not ended, and gives its exit code, or 128 and the number of its signal.
  int end();

 private:
  ChildProcess() = default;

  int process_ = -1;
  http::UniqueFd input_, output_, report_;
};

}  // namespace gossamer::tools
