#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gossamer::http {

/// Where a server is, and under which path.
struct Url {
  bool tls = false;
  std::string host;  ///< a name or an address, IPv6 without brackets; empty for a Unix socket
  uint16_t port = 0;
  std::string unix_socket;  ///< a path; empty: TCP
  std::string path;         ///< "/v1", without a slash at its end; "" for none

  /// What goes into the Host field: "localhost:8000", "[::1]:8000".
  std::string authority() const;
};

/// "http://localhost:8000/v1", "https://host", "http://[::1]:8000", "unix:/run/gossamer.sock", "localhost:8000".
/// Errors: what is none of these, or names a user.
Result<Url> parse_url(std::string_view text);

}  // namespace gossamer::http
