#pragma once

#include <string>

#include "base/result.h"
#include "cli/options.h"
#include "harmony/chat_setup.h"

namespace gossamer::cli {

/// The options of run and chat that shape what a conversation begins with.
struct SetupOptions {
  std::string reasoning = "medium";
  std::string think;  // --think[=EFFORT], as other tools spell --reasoning and --show-reasoning
  std::string system;
  std::string tools_file;
  std::string date = "today";

  void declare(Options& options);
  /// True where --think asks to see the reasoning.
  bool wants_reasoning_shown() const { return !think.empty(); }
  /// Errors: a tools file that cannot be read, a date that is none.
  Result<harmony::ChatSetup> make() const;
};

}  // namespace gossamer::cli
