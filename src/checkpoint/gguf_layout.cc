
#include "checkpoint/ggml_types.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_config.h"
#include "checkpoint/layouts.h"
#include "checkpoint/paths.h"
#include "checkpoint/shape.h"
#include "checkpoint/split_name.h"
#include "checkpoint/tensor_binder.h"

namespace gossamer {
namespace {

constexpr std::string_view kLayerPrefix = "blk.";
constexpr uint32_t kMaxParts = 1024;

/// Adds the tensors of a parsed file to the table.
Status add_tensors(TensorTable& table, const MmapFile& file, const GgufHeader& header) {
  const uint32_t index = table.add_file(file);
  for (const GgufTensor& tensor : header.tensors) {
    const GgmlType& type = *find_ggml_type(tensor.type);  // the parser refuses unknown ones
    GOS_TRY_STATUS(table.add({.name = std::string(tensor.name),
                              .file = index,
                              .dtype_name = std::string(type.name),
                              .dtype = type.dtype,
                              .shape = tensor.shape,
                              .data = file.bytes().data() + tensor.begin,
                              .size_bytes = tensor.size_bytes}));
  }
  return {};
}

/// How many files a split model has; 1 where it is not split. Errors: `path` is not the first part.
Result<uint32_t> part_count(const GgufHeader& header, const std::string& path) {
  const GgufValue* count_value = header.find("split.count");
  if (!count_value) return 1u;
  const auto count = count_value->as_uint();
  if (!count || *count < 1 || *count > kMaxParts)
    return make_error(ErrorCode::kInvalidInput, "{}: split.count is {}, not 1 to {}", path, count_value->text(),
                      kMaxParts);
  const GgufValue* number = header.find("split.no");
  if (number && number->as_uint() != 0)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: split.no is {}, so it is not the first of {} parts: name the first", path, number->text(),
                      *count);
  return static_cast<uint32_t>(*count);
}

/// Opens the parts after the first, which lie beside it. Errors: the first part's name does not lead to theirs.
Status add_parts(TensorTable& table, const std::string& first, uint32_t count, const ProgressFn& progress) {
  const auto name = parse_split_name(first);
  if (count > 1 && (!name || name->number != 1 || name->count != count))
    return make_error(
        ErrorCode::kInvalidInput,
        "{} is the first of {} parts, so its name should end in -00001-of-{:05}.gguf for the others to be found", first,
        count, count);
  for (uint32_t number = 2; number <= count; ++number) {
    if (progress) progress("opening model files", number - 1, count);
    const std::string path = split_name(*name, number);
    if (!path_exists(path))
      return make_error(ErrorCode::kNotFound, "{} has {} parts, but {} is not there: the download is not complete",
                        first, count, path);
    GOS_TRY(const MmapFile file, map_model_file(path));
    GOS_TRY(const GgufHeader header, parse_gguf(file.bytes(), path));
    GOS_TRY_STATUS(add_tensors(table, file, header));
  }
  if (progress) progress("opening model files", count, count);
  return {};
}

/// llama.cpp and Ollama use different names for a few tensors, and Ollama's first files kept q, k, v and gate, up
/// together.
class LayerBinder {
 public:
  LayerBinder(TensorBinder& bind, const ModelConfig& config, uint32_t layer)
      : bind_(bind), c_(config), prefix_(fmt::format("{}{}.", kLayerPrefix, layer)) {}

  LayerTensors bind() {
    const uint64_t d = c_.hidden;
    t_.attn_norm = bind_.vector(name("attn_norm.weight"), d);
    bind_qkv();
    t_.sinks = bind_.vector(either("attn_sinks.weight", "attn_sinks"), c_.num_heads);
    t_.o = bind_.matrix(either("attn_output.weight", "attn_out.weight"), d, c_.q_rows());
    t_.o_bias = bind_.vector(either("attn_output.bias", "attn_out.bias"), d);
    t_.mlp_norm = bind_.vector(either("post_attention_norm.weight", "ffn_norm.weight"), d);
    t_.router = bind_.matrix(name("ffn_gate_inp.weight"), c_.num_experts, d);
    t_.router_bias = bind_.vector(name("ffn_gate_inp.bias"), c_.num_experts);
    bind_gate_up();
    t_.down = bind_.experts(name("ffn_down_exps.weight"), c_.num_experts, d, c_.intermediate);
    t_.down_bias = bind_.expert_bias(name("ffn_down_exps.bias"), c_.num_experts, d);
    return t_;
  }

 private:
  std::string name(std::string_view rest) const { return prefix_ + std::string(rest); }
  /// The name that the file has; the usual one where it has neither, for the sentence.
  std::string either(std::string_view usual, std::string_view other) const {
    return bind_.has(name(other)) ? name(other) : name(usual);
  }

  void bind_qkv() {
    const uint64_t d = c_.hidden, q_rows = c_.q_rows(), kv_rows = c_.kv_rows();
    if (bind_.has(name("attn_qkv.weight"))) {
      const MatrixView qkv = bind_.matrix(name("attn_qkv.weight"), q_rows + 2 * kv_rows, d);
      const MatrixView bias = bind_.vector(name("attn_qkv.bias"), q_rows + 2 * kv_rows);
      return split_qkv(qkv, bias, c_, t_);
    }
    t_.q = bind_.matrix(name("attn_q.weight"), q_rows, d);
    t_.k = bind_.matrix(name("attn_k.weight"), kv_rows, d);
    t_.v = bind_.matrix(name("attn_v.weight"), kv_rows, d);
    t_.q_bias = bind_.vector(name("attn_q.bias"), q_rows);
    t_.k_bias = bind_.vector(name("attn_k.bias"), kv_rows);
    t_.v_bias = bind_.vector(name("attn_v.bias"), kv_rows);
  }

  void bind_gate_up() {
    const uint64_t d = c_.hidden, f = c_.intermediate;
    if (bind_.has(name("ffn_gate_up_exps.weight"))) {
      const auto gate_up = bind_.experts(name("ffn_gate_up_exps.weight"), c_.num_experts, 2 * f, d);
      const auto bias = bind_.expert_bias(name("ffn_gate_up_exps.bias"), c_.num_experts, 2 * f);
      return split_gate_up(gate_up, bias, t_);
    }
    t_.gate = bind_.experts(name("ffn_gate_exps.weight"), c_.num_experts, f, d);
    t_.up = bind_.experts(name("ffn_up_exps.weight"), c_.num_experts, f, d);
    t_.gate_bias = bind_.expert_bias(name("ffn_gate_exps.bias"), c_.num_experts, f);
    t_.up_bias = bind_.expert_bias(name("ffn_up_exps.bias"), c_.num_experts, f);
  }

  TensorBinder& bind_;
  const ModelConfig& c_;
  std::string prefix_;
  LayerTensors t_;
};

Result<ModelTensors> bind_tensors(const TensorTable& table, const ModelConfig& config) {
  constexpr const char* kSource = "its metadata";
  TensorBinder bind(table, kSource);
  ModelTensors tensors;
  tensors.embedding = bind.matrix("token_embd.weight", config.vocab_size, config.hidden);
  for (uint32_t layer = 0; layer < config.num_layers && bind.status().ok(); ++layer)
    tensors.layers.push_back(LayerBinder(bind, config, layer).bind());
  tensors.final_norm = bind.vector("output_norm.weight", config.hidden);
  tensors.lm_head = bind.matrix("output.weight", config.vocab_size, config.hidden);
  GOS_TRY_STATUS(bind.status());
  GOS_TRY_STATUS(check_no_extra_layers(table, kLayerPrefix, config, kSource));
  return tensors;
}

/// Ollama's first files hold MXFP4 under a number and in a nibble order of their own; say how to get the later ones.
Status check_mxfp4_form(const GgufHeader& header, const std::string& path) {
  for (const GgufTensor& tensor : header.tensors) {
    if (tensor.type != kEarlyOllamaMxfp4) continue;
    return make_error(
        ErrorCode::kUnsupported,
        "{}: tensor {} is MXFP4 in the form that Ollama published until October 2025 (type 4 instead of 39): "
        "get the present form with `ollama pull gpt-oss:20b` or `ollama pull gpt-oss:120b`",
        path, excerpt(tensor.name));
  }
  return {};
}

}  // namespace

Result<CheckpointParts> open_gguf_layout(const std::string& path, const ProgressFn& progress) {
  GOS_TRY(const MmapFile file, map_model_file(path));
  GOS_TRY(const GgufHeader header, parse_gguf(file.bytes(), path));
  GOS_TRY(const uint32_t count, part_count(header, path));
  GOS_TRY_STATUS(check_mxfp4_form(header, path));
  CheckpointParts parts;
  parts.format = CheckpointFormat::kGguf;
  parts.name = read_gguf_name(header);
  GOS_TRY(parts.config, read_gguf_config(header, path));
  GOS_TRY(parts.vocabulary, read_gguf_vocabulary(header, path));
  GOS_TRY(parts.generation, read_gguf_generation(header, parts.vocabulary.get(), path));
  TensorTable table;
  GOS_TRY_STATUS(add_tensors(table, file, header));
  GOS_TRY_STATUS(add_parts(table, path, count, progress));
  GOS_TRY(parts.tensors, bind_tensors(table, parts.config));
  parts.stored = list_stored(table);
  parts.files = table.files();
  return parts;
}

}  // namespace gossamer
