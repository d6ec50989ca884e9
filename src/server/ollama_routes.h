#pragma once

#include "server/app.h"

namespace gossamer::server {

/// What clients of Ollama ask: POST /api/chat, /api/generate, /api/show, /api/pull; GET /api/tags, /api/ps,
/// /api/version, /.
void add_ollama_routes(App& app);

}  // namespace gossamer::server
