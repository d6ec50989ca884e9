#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gossamer {

/// The name of the blob that holds the weights ("sha256-" and 64 hex digits), out of the text of a manifest.
/// Errors: malformed JSON, no layer of type application/vnd.ollama.image.model, a digest of another form.
Result<std::string> parse_ollama_manifest(std::string_view text, std::string_view what);

}  // namespace gossamer
