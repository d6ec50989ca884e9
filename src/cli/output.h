#pragma once

#include <string_view>

namespace gossamer::cli {

/// Standard output, for text that people or programs read. A failed write is remembered, told once at close(), and
/// makes the exit code 1. A reader that has gone away is no news to anybody: that ends without a word.
class Output {
 public:
  /// True where standard output is a terminal (then control characters must not reach it, see terminal_text.h).
  static bool is_terminal();

  /// Writes at once: text streams, and lines answer lines.
  void write(std::string_view text);
  void line(std::string_view text);

  /// False once a write has failed; whoever streams can stop then.
  bool ok() const { return failure_ == 0; }

  /// The exit code: kSuccess, or kFailure with the reason on stderr.
  int close();

 private:
  int failure_ = 0;  // errno of the first write that failed
};

}  // namespace gossamer::cli
