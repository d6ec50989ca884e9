#include "server/sse.h"

namespace gossamer::server {

std::string sse_data(std::string_view json_text) {
  std::string event;
  event.reserve(json_text.size() + 8);
  event.append("data: ").append(json_text).append("\n\n");
  return event;
}

std::string sse_event(std::string_view name, std::string_view json_text) {
  std::string event;
  event.reserve(name.size() + json_text.size() + 16);
  event.append("event: ").append(name).append("\ndata: ").append(json_text).append("\n\n");
  return event;
}

void begin_sse(http::Exchange& exchange) {
  http::Headers headers;
  headers.add("Content-Type", "text/event-stream; charset=utf-8");
  headers.add("Cache-Control", "no-cache");
  headers.add("X-Accel-Buffering", "no");  // nginx hands pieces on at once
  http::StreamOptions options;
  options.idle_bytes = ": keep-alive\n\n";
  exchange.begin_stream(200, std::move(headers), options);
}

}  // namespace gossamer::server
