#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "http/exchange.h"

namespace gossamer::server {

/// "data: {...}\n\n"
std::string sse_data(std::string_view json_text);
/// "event: NAME\ndata: {...}\n\n"
std::string sse_event(std::string_view name, std::string_view json_text);

/// Begins an answer of server-sent events: Content-Type, Cache-Control: no-cache, comments while nothing is said.
void begin_sse(http::Exchange& exchange);

}  // namespace gossamer::server
