#include "http/refusal.h"

#include "base/json.h"

namespace gossamer::http {

Response refusal_response(const Refusal& refusal) {
  const char* const type = refusal.status >= 500 ? "server_error" : "invalid_request_error";
  const json::value body = {
      {"error", {{"message", refusal.message}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}};
  Response response{
      .status = refusal.status, .headers = {{"Content-Type", "application/json"}}, .body = json::serialize(body)};
  if (refusal.status == 503) response.headers.add("Retry-After", "1");
  return response;
}

}  // namespace gossamer::http
