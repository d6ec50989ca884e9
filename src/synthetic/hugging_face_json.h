#pragma once
/// The JSON files beside the weights of openai/gpt-oss-20b, for a made-up model.

#include "base/json.h"
#include "synthetic/preset.h"

namespace gossamer::synthetic {

json::object config_json(const Preset& preset);
json::object generation_config_json(const Preset& preset);
json::object tokenizer_config_json(const Preset& preset);

}  // namespace gossamer::synthetic
