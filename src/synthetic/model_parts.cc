#include "synthetic/model_parts.h"

#include <fmt/format.h>

#include "base/check.h"

namespace gossamer::synthetic {
namespace {

class PartList {
 public:
  explicit PartList(const ModelConfig& config) : c_(config) {}

  std::vector<ModelPart> list() {
    add(PartKind::kEmbedding, "token_embd.weight", "model.embed_tokens.weight", c_.vocab_size, c_.hidden);
    for (uint32_t layer = 0; layer < c_.num_layers; ++layer) {
      gguf_prefix_ = fmt::format("blk.{}.", layer);
      hugging_face_prefix_ = fmt::format("model.layers.{}.", layer);
      add_attention();
      add_experts();
    }
    gguf_prefix_ = hugging_face_prefix_ = "";
    add(PartKind::kNorm, "output_norm.weight", "model.norm.weight", c_.hidden);
    add(PartKind::kMatrix, "output.weight", "lm_head.weight", c_.vocab_size, c_.hidden);
    return std::move(parts_);
  }

 private:
  void add(PartKind kind, std::string_view gguf, std::string_view hugging_face, uint64_t rows, uint64_t cols = 0) {
    parts_.push_back({kind, fmt::format("{}{}", gguf_prefix_, gguf),
                      fmt::format("{}{}", hugging_face_prefix_, hugging_face), rows, cols});
  }
  /// A matrix and its bias.
  void add_linear(PartKind kind, std::string_view gguf, std::string_view hugging_face, uint64_t rows, uint64_t cols) {
    add(kind, fmt::format("{}.weight", gguf), fmt::format("{}.weight", hugging_face), rows, cols);
    add(PartKind::kBias, fmt::format("{}.bias", gguf), fmt::format("{}.bias", hugging_face), rows);
  }

  void add_attention() {
    const uint64_t d = c_.hidden;
    add(PartKind::kNorm, "attn_norm.weight", "input_layernorm.weight", d);
    add_linear(PartKind::kMatrix, "attn_q", "self_attn.q_proj", c_.q_rows(), d);
    add_linear(PartKind::kMatrix, "attn_k", "self_attn.k_proj", c_.kv_rows(), d);
    add_linear(PartKind::kMatrix, "attn_v", "self_attn.v_proj", c_.kv_rows(), d);
    add_linear(PartKind::kMatrix, "attn_output", "self_attn.o_proj", d, c_.q_rows());
    add(PartKind::kSinks, "attn_sinks.weight", "self_attn.sinks", c_.num_heads);
  }

  void add_experts() {
    const uint64_t d = c_.hidden, f = c_.intermediate;
    add(PartKind::kNorm, "post_attention_norm.weight", "post_attention_layernorm.weight", d);
    add_linear(PartKind::kRouter, "ffn_gate_inp", "mlp.router", c_.num_experts, d);
    add(PartKind::kGateUp, "ffn_", "mlp.experts.gate_up_proj", f, d);
    add(PartKind::kDown, "ffn_", "mlp.experts.down_proj", d, f);
  }

  const ModelConfig& c_;
  std::string gguf_prefix_, hugging_face_prefix_;
  std::vector<ModelPart> parts_;
};

}  // namespace

std::vector<ModelPart> model_parts(const ModelConfig& config) {
  return PartList(config).list();
}

VectorKind vector_kind(PartKind kind) {
  GOS_CHECK(kind == PartKind::kNorm || kind == PartKind::kBias || kind == PartKind::kSinks);
  return kind == PartKind::kNorm ? VectorKind::kNorm : kind == PartKind::kBias ? VectorKind::kBias : VectorKind::kSinks;
}

}  // namespace gossamer::synthetic
