/// Any bytes as a stream of server-sent events: nothing crashes, events are the same however the bytes are cut, and
/// none holds a line end that the stream did not mean.

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "http/sse_parser.h"

using namespace gossamer::http;

namespace {

std::vector<std::string> events_of(std::string_view bytes, size_t piece_bytes) {
  std::vector<std::string> events;
  SseParser parser(
      [&](const SseEvent& event) {
        GOS_CHECK(event.data.find('\r') == std::string::npos);
        GOS_CHECK(event.event.find_first_of("\r\n") == std::string::npos);
        GOS_CHECK(event.id.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
        events.push_back(event.event + '\n' + event.id + '\n' + event.data);
      },
      1u << 20);
  for (size_t i = 0; i < bytes.size(); i += piece_bytes) GOS_CHECK(parser.read(bytes.substr(i, piece_bytes)));
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 1u << 16) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  GOS_CHECK(events_of(bytes, bytes.size()) == events_of(bytes, 1 + data[0] % 16));
  return 0;
}
