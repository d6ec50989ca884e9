#pragma once

#include <string>

#include "base/result.h"
#include "http/http_client.h"

namespace gossamer::load {

/// The first model that the server at this address lists. Errors: it does not answer, with its own sentence where it
/// has one, or lists none.
Result<std::string> first_model(http::HttpClient& client, const std::string& api_key);

}  // namespace gossamer::load
