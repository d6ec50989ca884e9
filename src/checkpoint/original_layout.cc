#include "checkpoint/config_json.h"
#include "checkpoint/layouts.h"
#include "checkpoint/paths.h"
#include "checkpoint/safetensors_folder.h"
#include "checkpoint/tensor_binder.h"

namespace gossamer {
namespace {

constexpr std::string_view kLayerPrefix = "block.";

/// q, k and v are one matrix here, `attn.qkv`: their rows follow one another.
void bind_attention(TensorBinder& bind, const ModelConfig& c, const std::string& prefix, LayerTensors& t) {
  const uint64_t d = c.hidden, qkv_rows = c.q_rows() + 2 * c.kv_rows();
  const MatrixView qkv = bind.matrix(prefix + "attn.qkv.weight", qkv_rows, d);
  const MatrixView qkv_bias = bind.vector(prefix + "attn.qkv.bias", qkv_rows);
  split_qkv(qkv, qkv_bias, c, t);
  t.attn_norm = bind.vector(prefix + "attn.norm.scale", d);
  t.sinks = bind.vector(prefix + "attn.sinks", c.num_heads);
  t.o = bind.matrix(prefix + "attn.out.weight", d, c.q_rows());
  t.o_bias = bind.vector(prefix + "attn.out.bias", d);
}

void bind_experts(TensorBinder& bind, const ModelConfig& c, const std::string& prefix, LayerTensors& t) {
  const uint64_t d = c.hidden, f = c.intermediate;
  t.mlp_norm = bind.vector(prefix + "mlp.norm.scale", d);
  t.router = bind.matrix(prefix + "mlp.gate.weight", c.num_experts, d);
  t.router_bias = bind.vector(prefix + "mlp.gate.bias", c.num_experts);
  const auto gate_up =
      bind.split_experts(prefix + "mlp.mlp1_weight.blocks", prefix + "mlp.mlp1_weight.scales", c.num_experts, 2 * f, d);
  const auto gate_up_bias = bind.expert_bias(prefix + "mlp.mlp1_bias", c.num_experts, 2 * f);
  split_gate_up(gate_up, gate_up_bias, t);
  t.down =
      bind.split_experts(prefix + "mlp.mlp2_weight.blocks", prefix + "mlp.mlp2_weight.scales", c.num_experts, d, f);
  t.down_bias = bind.expert_bias(prefix + "mlp.mlp2_bias", c.num_experts, d);
}

Result<ModelTensors> bind_tensors(const TensorTable& table, const ModelConfig& config, const std::string& config_path) {
  TensorBinder bind(table, config_path);
  ModelTensors tensors;
  tensors.embedding = bind.matrix("embedding.weight", config.vocab_size, config.hidden);
  for (uint32_t layer = 0; layer < config.num_layers && bind.status().ok(); ++layer) {
    const std::string prefix = fmt::format("{}{}.", kLayerPrefix, layer);
    LayerTensors& t = tensors.layers.emplace_back();
    bind_attention(bind, config, prefix, t);
    bind_experts(bind, config, prefix, t);
  }
  tensors.final_norm = bind.vector("norm.scale", config.hidden);
  tensors.lm_head = bind.matrix("unembedding.weight", config.vocab_size, config.hidden);
  GOS_TRY_STATUS(bind.status());
  GOS_TRY_STATUS(check_no_extra_layers(table, kLayerPrefix, config, config_path));
  return tensors;
}

}  // namespace

Result<CheckpointParts> open_original_layout(const std::string& folder, const ProgressFn& progress) {
  const std::string config_path = folder + "/config.json";
  GOS_TRY(const std::string text, read_file(config_path, kMaxConfigBytes));
  CheckpointParts parts;
  parts.format = CheckpointFormat::kOriginal;
  GOS_TRY(parts.config, parse_original_config(text, config_path));
  GOS_TRY(const TensorTable table, map_safetensors_folder(folder, progress));
  GOS_TRY(parts.tensors, bind_tensors(table, parts.config, config_path));
  parts.stored = list_stored(table);
  parts.files = table.files();
  // The layout has no tokenizer of its own; in openai/gpt-oss-20b one lies in the folder above.
  for (const char* place : {"/tokenizer.json", "/../tokenizer.json"})
    if (const std::string path = folder + place; parts.tokenizer_json_path.empty() && is_file(path))
      parts.tokenizer_json_path = path;
  return parts;
}

}  // namespace gossamer
