#include "http/header_lines.h"

namespace gossamer::http {

HeaderLines::State HeaderLines::malformed(const char* problem) {
  problem_ = problem;
  return State::kMalformed;
}

HeaderLines::State HeaderLines::end_line(std::string_view line) {
  if (line.empty() || line.back() != '\r') return malformed("A line of the request's head ends in LF without CR.");
  line.remove_suffix(1);
  if (line.empty()) return State::kComplete;
  if (line.find('\r') != line.npos) return malformed("The request's head holds a CR without LF.");
  if (line.find('\0') != line.npos) return malformed("The request's head holds a NUL byte.");
  if (!first_line_ && (line[0] == ' ' || line[0] == '\t'))
    return malformed("A header field of the request is folded over several lines.");
  first_line_ = false;
  return State::kIncomplete;
}

HeaderLines::State HeaderLines::scan(std::string_view bytes) {
  while (true) {
    const size_t line_feed = bytes.substr(0, max_bytes_).find('\n', looked_at_);
    if (line_feed == bytes.npos) break;
    const State state = end_line(bytes.substr(scanned_, line_feed - scanned_));
    scanned_ = looked_at_ = line_feed + 1;
    if (state != State::kIncomplete) return state;
  }
  looked_at_ = bytes.size();
  return bytes.size() >= max_bytes_ ? State::kTooLong : State::kIncomplete;
}

}  // namespace gossamer::http
