#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gossamer::http {

/// Finds where the head of a message ends, however its bytes arrive, and refuses what parsers are known to read in
/// different ways before one of them sees it: lines that do not end in CR LF, folded lines, NUL (RFC 9112, sections 2.2
/// and 5.2).
class HeaderLines {
 public:
  explicit HeaderLines(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  enum class State : uint8_t { kIncomplete, kComplete, kMalformed, kTooLong };
  /// `bytes`: all of the message that has come, from its first byte.
  State scan(std::string_view bytes);

  size_t size_bytes() const { return scanned_; }    ///< kComplete: of the head, with the empty line
  const char* problem() const { return problem_; }  ///< kMalformed: one sentence

 private:
  State malformed(const char* problem);
  State end_line(std::string_view line);

  uint64_t max_bytes_;
  size_t scanned_ = 0;    // lines before it are checked
  size_t looked_at_ = 0;  // no line feed between scanned_ and here
  bool first_line_ = true;
  const char* problem_ = nullptr;
};

}  // namespace gossamer::http
