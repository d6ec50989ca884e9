#include "checkpoint/config_json.h"
#include "checkpoint/layouts.h"
#include "checkpoint/paths.h"
#include "checkpoint/safetensors_folder.h"
#include "checkpoint/tensor_binder.h"

namespace gossamer {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.";

LayerTensors bind_layer(TensorBinder& bind, const ModelConfig& c, uint32_t layer) {
  const auto name = [prefix = fmt::format("{}{}.", kLayerPrefix, layer)](std::string_view rest) {
    return fmt::format("{}{}", prefix, rest);
  };
  const uint64_t d = c.hidden, f = c.intermediate, q_rows = c.q_rows(), kv_rows = c.kv_rows();
  LayerTensors t;
  t.attn_norm = bind.vector(name("input_layernorm.weight"), d);
  t.q = bind.matrix(name("self_attn.q_proj.weight"), q_rows, d);
  t.k = bind.matrix(name("self_attn.k_proj.weight"), kv_rows, d);
  t.v = bind.matrix(name("self_attn.v_proj.weight"), kv_rows, d);
  t.q_bias = bind.vector(name("self_attn.q_proj.bias"), q_rows);
  t.k_bias = bind.vector(name("self_attn.k_proj.bias"), kv_rows);
  t.v_bias = bind.vector(name("self_attn.v_proj.bias"), kv_rows);
  t.sinks = bind.vector(name("self_attn.sinks"), c.num_heads);
  t.o = bind.matrix(name("self_attn.o_proj.weight"), d, q_rows);
  t.o_bias = bind.vector(name("self_attn.o_proj.bias"), d);
  t.mlp_norm = bind.vector(name("post_attention_layernorm.weight"), d);
  t.router = bind.matrix(name("mlp.router.weight"), c.num_experts, d);
  t.router_bias = bind.vector(name("mlp.router.bias"), c.num_experts);

  const auto gate_up = bind.split_experts(name("mlp.experts.gate_up_proj_blocks"),
                                          name("mlp.experts.gate_up_proj_scales"), c.num_experts, 2 * f, d);
  const auto gate_up_bias = bind.expert_bias(name("mlp.experts.gate_up_proj_bias"), c.num_experts, 2 * f);
  split_gate_up(gate_up, gate_up_bias, t);
  t.down = bind.split_experts(name("mlp.experts.down_proj_blocks"), name("mlp.experts.down_proj_scales"), c.num_experts,
                              d, f);
  t.down_bias = bind.expert_bias(name("mlp.experts.down_proj_bias"), c.num_experts, d);
  return t;
}

/// Files that hold the experts unquantised would fail at the first missing `_blocks`; say what they are instead.
Status check_quantised(const TensorTable& table) {
  const TableTensor* plain = table.find("model.layers.0.mlp.experts.gate_up_proj");
  if (!plain) return {};
  return make_error(ErrorCode::kUnsupported,
                    "{}: tensor {} holds the experts as {}, but gossamer computes with MXFP4 (`_blocks` and `_scales`)",
                    table.path_of(*plain), plain->name, plain->dtype_name);
}

Result<ModelTensors> bind_tensors(const TensorTable& table, const ModelConfig& config, const std::string& config_path) {
  GOS_TRY_STATUS(check_quantised(table));
  TensorBinder bind(table, config_path);
  ModelTensors tensors;
  tensors.embedding = bind.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden);
  for (uint32_t layer = 0; layer < config.num_layers && bind.status().ok(); ++layer)
    tensors.layers.push_back(bind_layer(bind, config, layer));
  tensors.final_norm = bind.vector("model.norm.weight", config.hidden);
  tensors.lm_head = bind.matrix("lm_head.weight", config.vocab_size, config.hidden);
  GOS_TRY_STATUS(bind.status());
  GOS_TRY_STATUS(check_no_extra_layers(table, kLayerPrefix, config, config_path));
  return tensors;
}

/// generation_config.json may be missing; ids it does not name come from config.json.
Result<GenerationDefaults> read_generation(const std::string& folder, const HuggingFaceConfig& config) {
  GenerationDefaults defaults;
  const std::string path = folder + "/generation_config.json";
  if (is_file(path)) {
    GOS_TRY(const std::string text, read_file(path, kMaxConfigBytes));
    GOS_TRY(defaults, parse_generation_config(text, path));
  }
  if (defaults.eos_ids.empty()) defaults.eos_ids = config.eos_ids;
  return defaults;
}

}  // namespace

Result<CheckpointParts> open_hugging_face_layout(const std::string& folder, const ProgressFn& progress) {
  const std::string config_path = folder + "/config.json";
  GOS_TRY(const std::string text, read_file(config_path, kMaxConfigBytes));
  GOS_TRY(HuggingFaceConfig config, parse_hugging_face_config(text, config_path));
  CheckpointParts parts;
  parts.format = CheckpointFormat::kHuggingFace;
  parts.config = config.model;
  GOS_TRY(parts.generation, read_generation(folder, config));
  GOS_TRY(const TensorTable table, map_safetensors_folder(folder, progress));
  GOS_TRY(parts.tensors, bind_tensors(table, config.model, config_path));
  parts.stored = list_stored(table);
  parts.files = table.files();
  if (const std::string path = folder + "/tokenizer.json"; is_file(path)) parts.tokenizer_json_path = path;
  return parts;
}

}  // namespace gossamer
