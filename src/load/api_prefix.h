#pragma once

#include "http/url.h"

namespace gossamer::load {

/// What comes between an address and "/chat/completions": people write "localhost:8000" as well as
/// "http://host/v1".
inline const char* api_prefix(const http::Url& url) {
  return url.path.empty() ? "/v1" : "";
}

}  // namespace gossamer::load
