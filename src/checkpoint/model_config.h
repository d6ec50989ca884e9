#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace gossamer {

/// The hyperparameters of one gpt-oss model, whatever file they came from. Values are checked: all counts at least 1,
/// heads a multiple of kv_heads, hidden and intermediate multiples of 32, and so on (docs/formats.md).
struct ModelConfig {
  uint32_t num_layers = 0;         // 24 | 36; layer 0 is sliding, layer 1 full, and so on
  uint32_t hidden = 0;             // D = 2880
  uint32_t intermediate = 0;       // F = 2880
  uint32_t num_heads = 0;          // H = 64 query heads
  uint32_t num_kv_heads = 0;       // G = 8
  uint32_t head_dim = 0;           // Dh = 64
  uint32_t num_experts = 0;        // E = 32 | 128
  uint32_t experts_per_token = 0;  // A = 4
  uint32_t vocab_size = 0;         // V = 201088 rows of embedding and head
  uint32_t sliding_window = 0;     // W = 128: a token sees itself and W - 1 before it
  uint32_t original_context = 0;   // 4096: the context before YaRN
  uint32_t max_context = 0;        // 131072
  float rope_theta = 150000.f;
  float rope_factor = 32.f;  // YaRN scaling factor
  float rope_beta_fast = 32.f;
  float rope_beta_slow = 1.f;
  float rms_norm_eps = 1e-5f;
  float swiglu_limit = 7.f;

  bool is_sliding(uint32_t layer) const { return layer % 2 == 0; }
  uint64_t q_rows() const { return uint64_t{num_heads} * head_dim; }      // H * Dh = 4096
  uint64_t kv_rows() const { return uint64_t{num_kv_heads} * head_dim; }  // G * Dh = 512
};

/// Checks every value and how they fit together. `what` names the file in errors, which say field and value.
Status check_config(const ModelConfig& config, std::string_view what);

/// What generation_config.json (or a GGUF's metadata) says about sampling.
struct GenerationDefaults {
  std::vector<TokenId> eos_ids;  ///< empty where the file names none
  bool do_sample = true;
  float temperature = 1.f;
  float top_p = 1.f;
  uint32_t top_k = 0;  ///< 0: no limit
};

}  // namespace gossamer
