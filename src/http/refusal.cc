#include "http/refusal.h"

#include "base/json.h"

namespace gossamer::http {

Response refusal_response(const Refusal& refusal) {
  const char* const type = refusal.status >= 500 ? "server_error" : "invalid_request_error";
  const json::value body = {
      {"error", {{"message", refusal.message}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}};
  return {.status = refusal.status, .headers = {{"Content-Type", "application/json"}}, .body = json::serialize(body)};
}

}  // namespace gossamer::http
