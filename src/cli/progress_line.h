#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/progress.h"

namespace gossamer::cli {

/// One line on stderr that moves while something takes longer than a second; nothing where stderr is no terminal.
/// Gone without a trace when it is cleared or destroyed.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// `total` 0: only `done` is known.
  void update(std::string_view stage, uint64_t done, uint64_t total);
  /// Any text that fits one line.
  void draw(std::string_view text);
  /// False where stderr is no terminal.
  bool is_drawn() const { return enabled_; }
  void clear();

  /// For rooms that report by ProgressFn; must not outlive this.
  ProgressFn callback();

 private:
  bool is_time() const;

  std::chrono::steady_clock::time_point started_, drawn_;
  bool enabled_;
  bool visible_ = false;
};

}  // namespace gossamer::cli
