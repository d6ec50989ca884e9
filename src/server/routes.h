#pragma once

#include "server/app.h"

namespace gossamer::server {

// Each adds the routes of one interface; all of them are in the file of that name.
void add_chat_completions_route(App& app);  ///< POST /v1/chat/completions
void add_completions_routes(App& app);      ///< POST /v1/completions, /generate
void add_model_routes(App& app);            ///< GET /v1/models, /v1/models/{id...}
void add_text_routes(App& app);             ///< POST /tokenize, /detokenize, /render, /parse
void add_health_routes(App& app);           ///< GET /health, /livez, /readyz, /version, /metrics
void add_control_routes(App& app);          ///< POST /abort, /reset_prefix_cache

}  // namespace gossamer::server
