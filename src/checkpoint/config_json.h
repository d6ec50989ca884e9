#pragma once
/// The JSON files beside safetensors: hyperparameters and sampling defaults.

#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "checkpoint/model_config.h"

namespace gossamer {

/// A larger config.json or generation_config.json is refused unread.
inline constexpr uint64_t kMaxConfigBytes = 16 << 20;

/// What config.json of the Hugging Face layout says.
struct HuggingFaceConfig {
  ModelConfig model;
  std::vector<TokenId> eos_ids;  ///< empty where it names none
};

/// Both spellings are read: `rope_scaling` with `rope_theta` beside it (2025) and `rope_parameters` (newer
/// transformers). Errors: malformed JSON, another model_type, a missing field, a value out of range, layers that do not
/// alternate between sliding and full attention, anything that gpt-oss does not have (tied embeddings, no attention
/// bias, another RoPE, another quantisation).
Result<HuggingFaceConfig> parse_hugging_face_config(std::string_view text, std::string_view what);

/// config.json of OpenAI's `original/` layout.
Result<ModelConfig> parse_original_config(std::string_view text, std::string_view what);

/// generation_config.json. Errors: malformed JSON, fields of another type or out of range.
Result<GenerationDefaults> parse_generation_config(std::string_view text, std::string_view what);

}  // namespace gossamer
