#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "server/api_error.h"
#include "server/api_keys.h"

namespace gossamer::server {

/// Who may ask (API keys), and which pages in a browser may (CORS).
class Guard {
 public:
  /// Errors: as ApiKeys::load(); an origin that no browser sends.
  static Result<std::unique_ptr<Guard>> create(const std::vector<std::string>& api_keys, const std::string& key_file,
                                               std::vector<std::string> cors_origins);

  /// The tenant of a request. Nothing, and `error` is the 401: its key is missing or nobody's. Health needs none.
  std::optional<TenantId> tenant_of(const http::Request& request, ApiError& error);
  /// Headers for every answer to a request, errors too: CORS, where it comes from a page that may ask.
  http::Headers cors_headers(const http::Request& request) const;
  /// The answer to a browser's question whether it may ask; nothing: this is none. `allow`: methods of that path.
  std::optional<http::Response> preflight(const http::Request& request, const std::string& allow) const;

  Status reload_keys() { return keys_->reload(); }

 private:
  Guard(std::unique_ptr<ApiKeys> keys, std::vector<std::string> origins)
      : keys_(std::move(keys)), origins_(std::move(origins)) {}
  bool allows_origin(const std::string& origin) const;

  std::unique_ptr<ApiKeys> keys_;
  std::vector<std::string> origins_;
};

}  // namespace gossamer::server
