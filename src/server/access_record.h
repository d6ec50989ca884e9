#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gossamer::server {

/// One line of the access log. No text of a prompt or an answer, no key.
struct AccessRecord {
  std::string request_id, peer, method, path;
  unsigned status = 0;  ///< 499: the client went before there was an answer
  double seconds = 0;   ///< from the request's last byte to the answer's last
  bool client_gone = false;
  std::string trace_id;  ///< of the client's "traceparent" (W3C Trace Context), 32 hex digits; empty: it sent none

  // Of answers, filled in by their handlers:
  std::string model, answer_id;
  uint32_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  double first_token_seconds = 0;
  std::string finish;
  std::string error;  ///< of one that failed: what the client may not be told
};

/// The trace-id of a "traceparent" header, "00-TRACE-PARENT-FLAGS"; empty: it is malformed.
std::string trace_id_of(std::string_view traceparent);

/// "2026-11-22T09:30:00.123Z 200 POST /v1/chat/completions 1.234s 127.0.0.1:5123 req_... 15+87 tokens, first 0.120s"
std::string access_line_text(const AccessRecord& record);
/// The same as one JSON object.
std::string access_line_json(const AccessRecord& record);

}  // namespace gossamer::server
