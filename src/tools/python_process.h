#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/child_process.h"

namespace gossamer::tools {

struct PythonOptions {
  std::string interpreter = "/usr/bin/python3";
  std::string launcher;  ///< the path of gossamer-sandbox; empty: beside this program
  uint64_t memory_bytes = 512 << 20;
  uint64_t file_bytes = 64 << 20;  ///< all files that the code writes together, in memory
  uint64_t threads = 32;
  uint64_t cpu_seconds = 120;  ///< of one answer's calls together, however many interpreters it has one after another
  double call_seconds = 60;    ///< of one call, by the clock
  /// Interpreters of all answers that are alive at once, and so a bound of their memory: so often `memory_bytes` and
  /// `file_bytes`. Further calls wait for one to end, `call_seconds` at most.
  uint32_t most_interpreters = 8;
  uint32_t most_waiting = 4;  ///< calls that wait so; they hold a thread of the caller's
};

/// A Python interpreter in gossamer-sandbox, which runs one piece of code after another and keeps its variables.
class PythonProcess {
 public:
  /// Errors: kUnsupported where the machine lacks an isolation, with its name: nothing has been run then.
  static Result<PythonProcess> start(const PythonOptions& options, Clock::time_point deadline,
                                     const Cancellation& cancelled);

  struct Outcome {
    enum class End : unsigned char { kDone, kException, kDied, kDeadline, kCancelled };
    End end = End::kDone;
    std::string output;  ///< stdout and stderr as they came: bytes of whatever kind
    uint64_t cut_bytes = 0;
    int exit_code = 0;       ///< kDied
    double cpu_seconds = 0;  ///< where there is no interpreter left: what it took from its beginning
  };
  /// After anything but kDone and kException there is no interpreter left.
  Outcome run(std::string_view code, size_t most_output_bytes, Clock::time_point deadline,
              const Cancellation& cancelled);

 private:
  PythonProcess(ChildProcess process, std::string mark) : process_(std::move(process)), mark_(std::move(mark)) {}

  ChildProcess process_;
  std::string mark_;  // what the interpreter writes behind a piece's output
};

}  // namespace gossamer::tools
