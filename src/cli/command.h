#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"

namespace gossamer::cli {

/// What the shell sees.
enum ExitCode : int { kSuccess = 0, kFailure = 1, kWrongUsage = 2, kInterrupted = 130 };

/// One command of the program. Each lives in a file of its own, command_NAME.cc.
struct Command {
  std::string name;     ///< "run"; "bench-serve" may also be written as two words
  std::string summary;  ///< one line, for the list of commands
  std::string example;  ///< shown under the command's help
  /// Declares the options and returns the work that runs with them once the command line is read.
  std::function<std::function<int()>(Options&)> declare;
  /// Other programs' spellings of its arguments into ours, before they are read; empty: there are none. Errors: wrong
  /// usage.
  std::function<Result<std::vector<std::string>>(const std::vector<std::string>&)> translate = {};
};

Command run_command();
Command chat_command();
Command show_command();
Command version_command();
Command tokenize_command();
Command detokenize_command();
Command render_command();
Command parse_command();
Command logits_command();
Command generate_command();
Command bench_command();
Command bench_serve_command();
Command gpu_command();
Command simulate_command();
Command synth_command();
Command serve_command();

/// Reads the command line and runs the command that it names. Returns the exit code; wrong usage (2) has printed a
/// hint.
int run_program(std::span<const Command> commands, int argc, char** argv);

}  // namespace gossamer::cli
