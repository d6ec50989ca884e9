#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gossamer::http {

struct RequestTarget {
  std::string path;   ///< %-escapes decoded
  std::string query;  ///< as it came
};

/// Takes apart what a request line names: "/a%20b?c=d", "http://host/a" (RFC 9112, section 3.2), "*". Nothing: an
/// escape that is none, or that stands for NUL.
std::optional<RequestTarget> parse_request_target(std::string_view target);

}  // namespace gossamer::http
