#pragma once

#include <sys/socket.h>

#include <functional>
#include <string>

#include "base/result.h"
#include "tools/tool.h"

namespace gossamer::tools {

struct FetchOptions {
  /// Asked for each address that a name has, before it is connected to, on each redirect again; empty: all are allowed.
  std::function<bool(const sockaddr_storage&)> allows_address;
  size_t most_bytes = 4 << 20;  ///< of the body; more is cut
  double seconds = 30;
  int most_redirects = 5;
};

struct FetchedPage {
  std::string address;  ///< after redirects
  std::string content_type, body;
  bool is_cut = false;
};

/// GETs `address` (http or https). Errors, as sentences for a model: not such an address, an address that is not
/// allowed, no answer in time, too many redirects, a status of 400 and above.
Result<FetchedPage> fetch_page(const std::string& address, const FetchOptions& options, Clock::time_point deadline,
                               const Cancellation& cancelled);

}  // namespace gossamer::tools
