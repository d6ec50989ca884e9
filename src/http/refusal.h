#pragma once

#include <string>
#include <string_view>

#include "http/exchange.h"

namespace gossamer::http {

/// Why the transport itself answers a request, instead of the handler.
struct Refusal {
  unsigned status = 400;
  std::string message;  ///< one sentence for the client, of ours alone
};

/// {"error": {...}} as OpenAI's clients expect it.
Response refusal_response(const Refusal& refusal);

}  // namespace gossamer::http
