#pragma once

#include <string>

#include "http/exchange.h"

namespace gossamer::http {

/// How the body of an answer is told apart from what follows it.
struct BodyFraming {
  enum class Kind : uint8_t { kNone, kLength, kChunked, kToEnd };
  Kind kind = Kind::kNone;
  uint64_t length_bytes = 0;
};

/// "200 OK" and the like; other statuses have an empty reason.
const char* reason_phrase(unsigned status);

/// Status line and fields. Fields that are the transport's are left out of `headers`, and line ends in values become
/// spaces: no value can end the head.
std::string format_response_head(unsigned status, const Headers& headers, const BodyFraming& framing, bool keep_alive,
                                 bool http_1_0);

/// "Content-Length" and the others whose values only the transport knows.
bool is_transport_field(std::string_view name);

/// Puts a field into a head, fit for a line of its own.
void append_field(std::string& head, std::string_view name, std::string_view value);

}  // namespace gossamer::http
