#include "synthetic/gguf_plan.h"

#include <fmt/format.h>

#include "base/check.h"
#include "checkpoint/gguf_header_writer.h"
#include "synthetic/model_parts.h"
#include "tokenizer/spelled_vocabulary.h"

namespace gossamer::synthetic {
namespace {

// As ggml numbers them.
constexpr uint32_t kF32 = 0, kQ8_0 = 8, kMxfp4 = 39;
constexpr uint32_t kFileTypeMxfp4Moe = 38, kQuantizationVersion = 2;
// tokenizer.ggml.token_type, as llama.cpp numbers them.
constexpr int32_t kNormalToken = 1, kControlToken = 3, kUnusedToken = 5;

void add_hyperparameters(GgufHeaderWriter& header, const Preset& preset, uint64_t seed) {
  const ModelConfig& c = preset.config;
  const auto count = [&](std::string_view key, uint32_t value) {
    header.add_uint32(fmt::format("gpt-oss.{}", key), value);
  };
  const auto number = [&](std::string_view key, float value) {
    header.add_float32(fmt::format("gpt-oss.{}", key), value);
  };
  header.add_string("general.architecture", "gpt-oss");
  header.add_string("general.type", "model");
  header.add_string("general.name", fmt::format("gpt-oss {}, random weights of seed {}", preset.name, seed));
  header.add_uint32("general.file_type", kFileTypeMxfp4Moe);
  header.add_uint32("general.quantization_version", kQuantizationVersion);
  count("block_count", c.num_layers);
  count("context_length", c.max_context);
  count("embedding_length", c.hidden);
  count("feed_forward_length", c.intermediate);
  count("expert_feed_forward_length", c.intermediate);
  count("expert_count", c.num_experts);
  count("expert_used_count", c.experts_per_token);
  count("attention.head_count", c.num_heads);
  count("attention.head_count_kv", c.num_kv_heads);
  count("attention.key_length", c.head_dim);
  count("attention.value_length", c.head_dim);
  count("attention.sliding_window", c.sliding_window);
  number("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  number("rope.freq_base", c.rope_theta);
  header.add_string("gpt-oss.rope.scaling.type", "yarn");
  number("rope.scaling.factor", c.rope_factor);
  count("rope.scaling.original_context_length", c.original_context);
}

/// Every row of the head has a token: those without a name are called and typed as llama.cpp's converter does it.
void add_vocabulary(GgufHeaderWriter& header, const Preset& preset) {
  SpelledVocabulary spelled = spell_o200k(preset.num_text_tokens);
  std::vector<std::string> merges;
  merges.reserve(spelled.merges.size());
  for (const auto& [left, right] : spelled.merges)
    merges.push_back(spelled.text_tokens[left] + " " + spelled.text_tokens[right]);
  std::vector<std::string> tokens = std::move(spelled.text_tokens);
  std::vector<int32_t> types(tokens.size(), kNormalToken);
  for (auto& [id, name] : spelled.special_tokens) {
    GOS_CHECK(id == tokens.size());
    if (name == "<|startoftext|>") header.add_uint32("tokenizer.ggml.bos_token_id", id);
    if (name == "<|return|>") header.add_uint32("tokenizer.ggml.eos_token_id", id);
    if (name == "<|endoftext|>") header.add_uint32("tokenizer.ggml.padding_token_id", id);
    tokens.push_back(std::move(name));
    types.push_back(kControlToken);
  }
  while (tokens.size() < preset.config.vocab_size) {
    tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
    types.push_back(kUnusedToken);
  }
  header.add_string("tokenizer.ggml.model", "gpt2");
  header.add_string("tokenizer.ggml.pre", "gpt-4o");
  header.add_strings("tokenizer.ggml.tokens", tokens);
  header.add_int32s("tokenizer.ggml.token_type", types);
  header.add_strings("tokenizer.ggml.merges", merges);
}

/// Turns parts into tensors. Their data begins after the header, whose size is known when all have been added.
class TensorPlanner {
 public:
  TensorPlanner(GgufHeaderWriter& header, const ModelConfig& config, uint64_t seed)
      : header_(header), experts_(config.num_experts), seed_(seed) {}

  std::vector<PlannedTensor> plan(const std::vector<ModelPart>& parts) {
    for (const ModelPart& part : parts) add(part);
    return std::move(tensors_);
  }

 private:
  void add(const ModelPart& part) {
    switch (part.kind) {
      case PartKind::kEmbedding:
        return add_matrix(part, Dtype::kQ8_0, /*fan_in=*/1);
      case PartKind::kMatrix:
        return add_matrix(part, Dtype::kQ8_0, part.cols);
      case PartKind::kRouter:
        return add_matrix(part, Dtype::kF32, part.cols);
      case PartKind::kNorm:
      case PartKind::kBias:
      case PartKind::kSinks:
        return add_vector(part.gguf_name, {part.rows}, {seed_, part.hugging_face_name, vector_kind(part.kind)});
      case PartKind::kGateUp:
        add_experts(part, "gate_exps", ".gate");
        return add_experts(part, "up_exps", ".up");
      case PartKind::kDown:
        return add_experts(part, "down_exps", "");
    }
  }

  void add_matrix(const ModelPart& part, Dtype dtype, uint64_t fan_in) {
    add_tensor(part.gguf_name, dtype, {part.rows, part.cols}, part.rows,
               [matrix = RandomMatrix(seed_, part.hugging_face_name, part.cols, fan_in), dtype](
                   uint64_t row, std::byte* out) { matrix.write_row(dtype, row, out); });
  }

  void add_vector(const std::string& name, std::vector<uint64_t> shape, const RandomVector& vector) {
    uint64_t elements = 1;
    for (const uint64_t extent : shape) elements *= extent;
    add_tensor(name, Dtype::kF32, std::move(shape), elements,
               [vector](uint64_t index, std::byte* out) { vector.write(Dtype::kF32, index, out); });
  }

  void add_experts(const ModelPart& part, std::string_view name, std::string_view stream) {
    const std::string random_name = fmt::format("{}{}", part.hugging_face_name, stream);
    add_tensor(fmt::format("{}{}.weight", part.gguf_name, name), Dtype::kMxfp4, {experts_, part.rows, part.cols},
               experts_ * part.rows,
               [weights = RandomExperts(seed_, random_name, part.cols)](uint64_t row, std::byte* out) {
                 weights.write_ggml_row(row, out);
               });
    add_vector(fmt::format("{}{}.bias", part.gguf_name, name), {experts_, part.rows},
               {seed_, random_name + "_bias", VectorKind::kBias});
  }

  /// `rows` of the same size, of whatever the shape calls a row.
  void add_tensor(const std::string& name, Dtype dtype, std::vector<uint64_t> shape, uint64_t rows,
                  std::function<void(uint64_t, std::byte*)> write_row) {
    const uint32_t type = dtype == Dtype::kQ8_0 ? kQ8_0 : dtype == Dtype::kMxfp4 ? kMxfp4 : kF32;
    uint64_t elements = 1;
    for (const uint64_t extent : shape) elements *= extent;
    const uint64_t bytes_a_row = row_bytes(dtype, elements / rows);
    const uint64_t begin = header_.add_tensor(name, type, shape, rows * bytes_a_row);
    tensors_.push_back({begin, rows, bytes_a_row, std::move(write_row)});
  }

  GgufHeaderWriter& header_;
  uint64_t experts_, seed_;
  std::vector<PlannedTensor> tensors_;
};

}  // namespace

PlannedFile plan_gguf(const Preset& preset, uint64_t seed) {
  GgufHeaderWriter header;
  add_hyperparameters(header, preset, seed);
  add_vocabulary(header, preset);
  PlannedFile file;
  file.tensors = TensorPlanner(header, preset.config, seed).plan(model_parts(preset.config));
  file.head = header.finish();
  for (PlannedTensor& tensor : file.tensors) tensor.begin += file.head.size();
  file.size_bytes = file.head.size() + header.data_bytes();
  return file;
}

}  // namespace gossamer::synthetic
