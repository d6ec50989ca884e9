#include "http/sse_parser.h"

#include <algorithm>

namespace gossamer::http {

namespace {

/// Where the first line end is; npos: there is none. Almost all streams have line feeds only.
size_t find_line_end(std::string_view text) {
  const size_t line_feed = text.find('\n');
  return std::min(text.substr(0, line_feed).find('\r'), line_feed);
}

}  // namespace

bool SseParser::read(std::string_view bytes) {
  while (!bytes.empty() && !too_large_) {
    if (after_cr_ && bytes[0] == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const size_t end = find_line_end(bytes);
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() + event_.data.size() > max_event_bytes_) too_large_ = true;
    if (end == bytes.npos) {
      line_ += piece;
      break;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      take_line(piece);
    } else {
      line_ += piece;
      take_line(line_);
      line_.clear();
    }
  }
  return !too_large_;
}

void SseParser::take_line(std::string_view line) {
  if (first_line_ && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) return dispatch();
  const size_t colon = line.find(':');
  if (colon == 0) return;  // a comment
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.event = value;
  } else if (name == "id" && value.find('\0') == value.npos) {
    event_.id = value;
  }
}

void SseParser::dispatch() {
  if (has_data_) sink_(event_);
  event_.event.clear();
  event_.data.clear();
  has_data_ = false;
}

}  // namespace gossamer::http
