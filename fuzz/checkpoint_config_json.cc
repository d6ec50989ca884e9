/// config.json of both layouts and generation_config.json: what is accepted passes the checks that the engine relies
/// on.

#include <cmath>
#include <string_view>

#include "base/check.h"
#include "checkpoint/config_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto config = gossamer::parse_hugging_face_config(text, "config.json"); config.ok())
    GOS_CHECK(gossamer::check_config(config->model, "config.json").ok());
  if (const auto config = gossamer::parse_original_config(text, "config.json"); config.ok())
    GOS_CHECK(gossamer::check_config(*config, "config.json").ok());
  if (const auto defaults = gossamer::parse_generation_config(text, "generation_config.json"); defaults.ok())
    GOS_CHECK(std::isfinite(defaults->temperature) && defaults->top_p > 0);
  return 0;
}
