#pragma once

#include <chrono>
#include <string>

#include "cli/progress_line.h"
#include "load/load_run.h"

namespace gossamer::cli {

/// A bar and figures, in at most `width` columns.
std::string load_progress_text(const std::string& title, const load::LoadProgress& progress, size_t width);

/// How far a load test is: a bar on a terminal, elsewhere a line on stderr every ten seconds.
class LoadProgressLine {
 public:
  void update(const std::string& title, const load::LoadProgress& progress);
  void clear() { line_.clear(); }

 private:
  ProgressLine line_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

}  // namespace gossamer::cli
