#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "server/served_model.h"

namespace gossamer::server {

/// The version of Ollama whose interface this is; clients compare it.
inline constexpr std::string_view kOllamaVersion = "0.13.5";

/// The name with a tag: "gpt-oss:20b" where an alias has one, else "NAME:latest".
std::string ollama_name(const ModelNames& names);

json::object ollama_tags(const ServedModel& model);  ///< of GET /api/tags
json::object ollama_show(const ServedModel& model);  ///< of POST /api/show
json::object ollama_ps(const ServedModel& model);    ///< of GET /api/ps

}  // namespace gossamer::server
