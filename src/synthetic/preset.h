#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "checkpoint/model_config.h"

namespace gossamer::synthetic {

/// A model that can be made up. Its vocabulary is the beginning of o200k_harmony: `num_text_tokens` text tokens, then
/// the special ones, then rows of the head without a name, as gpt-oss has them.
struct Preset {
  std::string_view name;
  ModelConfig config;
  uint32_t num_text_tokens = 0;
};

/// 20b and 120b have the shapes of the published models, small those of two layers with a small vocabulary, and tiny is
/// for tests.
std::span<const Preset> presets();

/// nullptr where there is none of that name.
const Preset* find_preset(std::string_view name);

}  // namespace gossamer::synthetic
