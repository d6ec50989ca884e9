#pragma once
/// JSON text with numbers read and written as openai-harmony (Rust's serde_json) does: a schema's default is part of
/// the model's input, so 1e21, -0 or 0.30000000000000004 must come out of the renderer as they do there.

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::harmony {

/// As gossamer::parse_json, but numbers become what serde_json makes of them: -0 is the double -0.0, integers beyond 64
/// bits are doubles, and doubles are 64-bit digits times one power of ten, not always the nearest double. Errors: as
/// parse_json, and a number too large for a double.
Result<json::value> parse_json_like_serde(std::string_view text, std::string_view what);

/// The value without spaces, as serde_json writes it: shortest digits, "1.0", "1e21", "1e-7"; only quotes, backslashes
/// and control characters escaped.
std::string compact_json(const json::value& value);

}  // namespace gossamer::harmony
