#include "synthetic/preset.h"

#include <algorithm>

#include "tokenizer/o200k_harmony.h"

namespace gossamer::synthetic {
namespace {

constexpr uint32_t kRowsAfterText = kO200kHeadRows - kO200kTextTokens;  // special tokens and rows without a name

/// What both published models have in common.
ModelConfig gpt_oss(uint32_t num_layers, uint32_t num_experts, uint32_t vocab_size) {
  ModelConfig config;
  config.num_layers = num_layers;
  config.hidden = 2880;
  config.intermediate = 2880;
  config.num_heads = 64;
  config.num_kv_heads = 8;
  config.head_dim = 64;
  config.num_experts = num_experts;
  config.experts_per_token = 4;
  config.vocab_size = vocab_size;
  config.sliding_window = 128;
  config.original_context = 4096;
  config.max_context = 131072;
  return config;
}

ModelConfig tiny() {
  ModelConfig config = gpt_oss(2, 4, 512);
  config.hidden = 128;
  config.intermediate = 96;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.experts_per_token = 2;
  config.sliding_window = 16;
  return config;
}

}  // namespace

std::span<const Preset> presets() {
  constexpr uint32_t kSmallVocabulary = 32768;
  static const Preset kPresets[] = {
      {"20b", gpt_oss(24, 32, kO200kHeadRows), kO200kTextTokens},
      {"120b", gpt_oss(36, 128, kO200kHeadRows), kO200kTextTokens},
      {"small", gpt_oss(2, 32, kSmallVocabulary), kSmallVocabulary - kRowsAfterText},
      {"tiny", tiny(), 480},
  };
  return kPresets;
}

const Preset* find_preset(std::string_view name) {
  const auto found = std::ranges::find(presets(), name, &Preset::name);
  return found == presets().end() ? nullptr : &*found;
}

}  // namespace gossamer::synthetic
