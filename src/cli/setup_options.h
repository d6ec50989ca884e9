#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "harmony/chat_setup.h"

namespace gossamer::cli {

/// The options of run and chat that shape what a conversation begins with.
struct SetupOptions {
  std::string reasoning = "medium";
  std::string think;  // --think[=EFFORT], as other tools spell --reasoning and --show-reasoning
  std::string system;
  std::vector<std::string> tools;  // files of functions, and words for tools that run here
  std::string date = "today";

  void declare(Options& options);
  /// True where --think asks to see the reasoning.
  bool wants_reasoning_shown() const { return !think.empty(); }
  /// Without the tools that run here. Errors: a tools file that cannot be read, a date that is none.
  Result<harmony::ChatSetup> make() const;
  /// Those of `tools` that are no files.
  std::vector<std::string> local_tools() const;
};

}  // namespace gossamer::cli
