#include "server/guard.h"

#include <algorithm>

namespace gossamer::server {
namespace {

/// What a page's script may read of an answer.
constexpr char kExposed[] = "x-request-id, retry-after, openai-processing-ms";

bool needs_no_key(std::string_view path) {
  return path == "/health" || path == "/livez" || path == "/readyz";
}

/// The key as any of the usual headers carries it; null: none.
std::optional<std::string> key_of(const http::Headers& headers) {
  constexpr std::string_view kBearer = "bearer ";
  if (const std::string* value = headers.find("Authorization"); value && value->size() > kBearer.size()) {
    std::string scheme = value->substr(0, kBearer.size());
    std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    if (scheme == kBearer) return value->substr(kBearer.size());
  }
  for (const char* name : {"x-api-key", "api-key"})
    if (const std::string* value = headers.find(name)) return *value;
  return std::nullopt;
}

/// What a browser may send as Origin: scheme://host, and a port that is not the scheme's own; "null" is a page of a
/// file.
bool is_origin(std::string_view text) {
  const size_t colon = text.find("://");
  if (text == "null") return true;
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view scheme = text.substr(0, colon), host = text.substr(colon + 3);
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z') && c != '/' && c != '*'; };
  const bool has_own_port =
      (scheme == "http" && host.ends_with(":80")) || (scheme == "https" && host.ends_with(":443"));
  return !host.empty() && std::ranges::all_of(scheme, is_plain) && std::ranges::all_of(host, is_plain) && !has_own_port;
}

ApiError no_key(std::string message) {
  ApiError error;
  error.status = 401;
  error.message = std::move(message);
  error.type = "authentication_error";
  error.code = "invalid_api_key";
  return error;
}

}  // namespace

Result<std::unique_ptr<Guard>> Guard::create(const std::vector<std::string>& api_keys, const std::string& key_file,
                                             std::vector<std::string> cors_origins) {
  for (const std::string& origin : cors_origins)
    if (origin != "*" && !is_origin(origin))
      return make_error(
          ErrorCode::kInvalidInput,
          "--cors {} lets no page in: an origin is written as browsers send it, in lower case, without a "
          "path and without the scheme's own port, such as https://chat.example or http://localhost:3000; "
          "* is every one",
          origin);
  GOS_TRY(std::unique_ptr<ApiKeys> keys, ApiKeys::load(api_keys, key_file));
  return std::unique_ptr<Guard>(new Guard(std::move(keys), std::move(cors_origins)));
}

std::optional<TenantId> Guard::tenant_of(const http::Request& request, ApiError& error) {
  if (keys_->open() || needs_no_key(request.path)) return TenantId{0};
  const std::optional<std::string> key = key_of(request.headers);
  if (!key) {
    error = no_key("this server asks for an API key; send it as \"Authorization: Bearer KEY\"");
    return std::nullopt;
  }
  const std::optional<TenantId> tenant = keys_->tenant_of(*key);
  if (!tenant) error = no_key("the API key is not one of this server's");
  return tenant;
}

bool Guard::allows_origin(const std::string& origin) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

http::Headers Guard::cors_headers(const http::Request& request) const {
  http::Headers headers;
  const std::string* origin = request.headers.find("Origin");
  if (origins_.empty()) return headers;
  headers.add("Vary", "Origin");
  if (!origin || !allows_origin(*origin)) return headers;
  headers.add("Access-Control-Allow-Origin", *origin);
  headers.add("Access-Control-Expose-Headers", kExposed);
  return headers;
}

std::optional<http::Response> Guard::preflight(const http::Request& request, const std::string& allow) const {
  if (request.method != "OPTIONS") return std::nullopt;
  http::Response response;
  response.status = 204;
  response.headers.add("Allow", allow);
  const std::string* origin = request.headers.find("Origin");
  if (!origin || !allows_origin(*origin)) return response;
  response.headers.add("Access-Control-Allow-Methods", allow);
  // A "*" would not cover Authorization, and SDKs add headers of their own: what is asked for is allowed.
  if (const std::string* wanted = request.headers.find("Access-Control-Request-Headers"))
    response.headers.add("Access-Control-Allow-Headers", *wanted);
  response.headers.add("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace gossamer::server
