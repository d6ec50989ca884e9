#pragma once

#include <string_view>

namespace gossamer::server {

/// Why this server does not have a path that clients of OpenAI, Ollama and others know, and what to do instead; empty:
/// nobody knows that path.
std::string_view why_absent(std::string_view path);

}  // namespace gossamer::server
