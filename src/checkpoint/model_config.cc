#include "checkpoint/model_config.h"

#include "base/dtype.h"

namespace gossamer {
namespace {

/// A field of ModelConfig with the largest value that makes sense: far above any model, far below what overflows a
/// size.
struct CountField {
  std::string_view name;
  uint32_t ModelConfig::* field;
  uint32_t limit;
};

constexpr CountField kCounts[] = {
    {"the number of layers", &ModelConfig::num_layers, 1024},
    {"the hidden size", &ModelConfig::hidden, 1 << 17},
    {"the intermediate size", &ModelConfig::intermediate, 1 << 18},
    {"the number of attention heads", &ModelConfig::num_heads, 1024},
    {"the number of key-value heads", &ModelConfig::num_kv_heads, 1024},
    {"the head dimension", &ModelConfig::head_dim, 512},
    {"the number of experts", &ModelConfig::num_experts, 4096},
    {"the number of experts per token", &ModelConfig::experts_per_token, 64},
    {"the vocabulary size", &ModelConfig::vocab_size, 1 << 22},
    {"the sliding window", &ModelConfig::sliding_window, 1 << 20},
    {"the original context", &ModelConfig::original_context, 1 << 28},
    {"the context", &ModelConfig::max_context, 1 << 28},
};

struct NumberField {
  std::string_view name;
  float ModelConfig::* field;
  float limit;
};

constexpr NumberField kNumbers[] = {
    {"the RoPE theta", &ModelConfig::rope_theta, 1e12f},
    {"the YaRN factor", &ModelConfig::rope_factor, 1e6f},
    {"the YaRN beta_fast", &ModelConfig::rope_beta_fast, 1e6f},
    {"the YaRN beta_slow", &ModelConfig::rope_beta_slow, 1e6f},
    {"the RMSNorm epsilon", &ModelConfig::rms_norm_eps, 1.f},
    {"the SwiGLU limit", &ModelConfig::swiglu_limit, 1e6f},
};

}  // namespace

Status check_config(const ModelConfig& config, std::string_view what) {
  for (const CountField& count : kCounts) {
    const uint32_t value = config.*count.field;
    if (value < 1 || value > count.limit)
      return make_error(ErrorCode::kInvalidInput, "{}: {} is {}, not 1 to {}", what, count.name, value, count.limit);
  }
  for (const NumberField& number : kNumbers) {
    const float value = config.*number.field;
    if (!(value > 0.f && value <= number.limit))
      return make_error(ErrorCode::kInvalidInput, "{}: {} is {}, not above 0 and up to {}", what, number.name, value,
                        number.limit);
  }
  if (config.hidden % kBlockElements != 0 || config.intermediate % kBlockElements != 0)
    return make_error(ErrorCode::kInvalidInput, "{}: hidden size {} and intermediate size {} must be multiples of {}",
                      what, config.hidden, config.intermediate, kBlockElements);
  if (config.num_heads % config.num_kv_heads != 0)
    return make_error(ErrorCode::kInvalidInput, "{}: {} attention heads are no multiple of {} key-value heads", what,
                      config.num_heads, config.num_kv_heads);
  if (config.head_dim % 2 != 0)
    return make_error(ErrorCode::kInvalidInput, "{}: the head dimension {} is odd, and RoPE turns pairs", what,
                      config.head_dim);
  if (config.experts_per_token > config.num_experts)
    return make_error(ErrorCode::kInvalidInput, "{}: {} experts per token are more than the {} experts", what,
                      config.experts_per_token, config.num_experts);
  if (config.rope_theta <= 1.f)
    return make_error(ErrorCode::kInvalidInput, "{}: the RoPE theta is {}, not above 1", what, config.rope_theta);
  if (config.rope_factor < 1.f)
    return make_error(ErrorCode::kInvalidInput, "{}: the YaRN factor is {}, not 1 or more", what, config.rope_factor);
  return {};
}

}  // namespace gossamer
