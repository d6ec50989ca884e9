#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace gossamer::http {

struct SseEvent {
  std::string event;  ///< "" where the stream names none
  std::string data;   ///< its lines joined with line feeds
  std::string id;     ///< the last that the stream has named, of this event or one before
};

/// Reads server-sent events from bytes as they come (the event stream format of the WHATWG HTML standard, section
/// 9.2.6). Lines end in CR, LF or both; comments and unknown fields are skipped; an event that the stream breaks off in
/// is dropped.
class SseParser {
 public:
  using Sink = std::function<void(const SseEvent&)>;
  explicit SseParser(Sink sink, uint64_t max_event_bytes = 64u << 20)
      : sink_(std::move(sink)), max_event_bytes_(max_event_bytes) {}

  /// False: an event is larger than allowed; nothing is read any more.
  bool read(std::string_view bytes);

 private:
  void take_line(std::string_view line);
  void take_field(std::string_view name, std::string_view value);
  void dispatch();

  Sink sink_;
  uint64_t max_event_bytes_;
  SseEvent event_;
  std::string line_;  // the beginning of one whose end has not come
  bool has_data_ = false, after_cr_ = false, first_line_ = true, too_large_ = false;
};

}  // namespace gossamer::http
