#include "synthetic/hugging_face_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/dtype.h"
#include "checkpoint/safetensors_header.h"
#include "synthetic/hugging_face_json.h"
#include "synthetic/model_parts.h"
#include "tokenizer/spelled_vocabulary.h"
#include "tokenizer/tokenizer_json_writer.h"

namespace gossamer::synthetic {
namespace {

constexpr std::string_view kConfigName = "config.json", kGenerationName = "generation_config.json",
                           kTokenizerName = "tokenizer.json", kTokenizerConfigName = "tokenizer_config.json",
                           kIndexName = "model.safetensors.index.json", kWeightsExtension = ".safetensors";

using WriteRow = std::function<void(uint64_t row, std::byte* out)>;

/// A tensor with its place in the header of a file that is not chosen yet.
struct NamedTensor {
  SafetensorsTensor entry;
  PlannedTensor planned;
};

/// Row 2r of gate, row 2r + 1 of up: how gpt-oss keeps the two together.
WriteRow interleaved(WriteRow gate, WriteRow up) {
  return [gate = std::move(gate), up = std::move(up)](uint64_t row, std::byte* out) {
    (row % 2 == 0 ? gate : up)(row / 2, out);
  };
}

class TensorPlanner {
 public:
  TensorPlanner(const ModelConfig& config, uint64_t seed) : experts_(config.num_experts), seed_(seed) {}

  std::vector<NamedTensor> plan(const std::vector<ModelPart>& parts) {
    for (const ModelPart& part : parts) add(part);
    return std::move(tensors_);
  }

 private:
  void add(const ModelPart& part) {
    const std::string& name = part.hugging_face_name;
    switch (part.kind) {
      case PartKind::kEmbedding:
        return add_matrix(part, /*fan_in=*/1);
      case PartKind::kMatrix:
      case PartKind::kRouter:
        return add_matrix(part, part.cols);
      case PartKind::kNorm:
      case PartKind::kBias:
      case PartKind::kSinks:
        return add_tensor(name, Dtype::kBf16, {part.rows}, part.rows, vector(name, vector_kind(part.kind)));
      case PartKind::kGateUp:
        return add_gate_up(part);
      case PartKind::kDown:
        return add_experts(part, part.rows, blocks(name, part.cols), scales(name, part.cols),
                           vector(name + "_bias", VectorKind::kBias));
    }
  }

  void add_matrix(const ModelPart& part, uint64_t fan_in) {
    add_tensor(part.hugging_face_name, Dtype::kBf16, {part.rows, part.cols}, part.rows,
               [matrix = RandomMatrix(seed_, part.hugging_face_name, part.cols, fan_in)](uint64_t row, std::byte* out) {
                 matrix.write_row(Dtype::kBf16, row, out);
               });
  }

  void add_gate_up(const ModelPart& part) {
    const std::string gate = part.hugging_face_name + ".gate", up = part.hugging_face_name + ".up";
    add_experts(part, 2 * part.rows, interleaved(blocks(gate, part.cols), blocks(up, part.cols)),
                interleaved(scales(gate, part.cols), scales(up, part.cols)),
                interleaved(vector(gate + "_bias", VectorKind::kBias), vector(up + "_bias", VectorKind::kBias)));
  }

  void add_experts(const ModelPart& part, uint64_t rows, WriteRow write_blocks, WriteRow write_scales,
                   WriteRow write_bias) {
    const uint64_t blocks_a_row = part.cols / kBlockElements;
    const std::string& name = part.hugging_face_name;
    add_tensor(name + "_blocks", Dtype::kU8, {experts_, rows, blocks_a_row, kMxfp4SplitBlockBytes}, experts_ * rows,
               std::move(write_blocks));
    add_tensor(name + "_scales", Dtype::kU8, {experts_, rows, blocks_a_row}, experts_ * rows, std::move(write_scales));
    add_tensor(name + "_bias", Dtype::kBf16, {experts_, rows}, experts_ * rows, std::move(write_bias));
  }

  WriteRow blocks(const std::string& random_name, uint64_t cols) const {
    return [weights = RandomExperts(seed_, random_name, cols)](uint64_t row, std::byte* out) {
      weights.write_codes_row(row, out);
    };
  }
  WriteRow scales(const std::string& random_name, uint64_t cols) const {
    return [weights = RandomExperts(seed_, random_name, cols)](uint64_t row, std::byte* out) {
      weights.write_scales_row(row, out);
    };
  }
  WriteRow vector(const std::string& random_name, VectorKind kind) const {
    return [values = RandomVector(seed_, random_name, kind)](uint64_t index, std::byte* out) {
      values.write(Dtype::kBf16, index, out);
    };
  }

  /// `rows` of the same size, of whatever the shape calls a row.
  void add_tensor(const std::string& name, Dtype dtype, std::vector<uint64_t> shape, uint64_t rows,
                  WriteRow write_row) {
    uint64_t elements = 1;
    for (const uint64_t extent : shape) elements *= extent;
    const uint64_t size_bytes = row_bytes(dtype, elements);
    tensors_.push_back(
        {{.name = name, .dtype = std::string(dtype_name(dtype)), .shape = std::move(shape), .size_bytes = size_bytes},
         {.rows = rows, .row_bytes = size_bytes / rows, .write_row = std::move(write_row)}});
  }

  uint64_t experts_, seed_;
  std::vector<NamedTensor> tensors_;
};

/// Which tensors go together, in order: as many as fit.
std::vector<std::vector<NamedTensor>> cut(std::vector<NamedTensor> tensors, uint64_t max_bytes) {
  std::vector<std::vector<NamedTensor>> groups;
  uint64_t group_bytes = 0;
  for (NamedTensor& tensor : tensors) {
    if (groups.empty() || group_bytes + tensor.entry.size_bytes > max_bytes) {
      groups.emplace_back();
      group_bytes = 0;
    }
    group_bytes += tensor.entry.size_bytes;
    groups.back().push_back(std::move(tensor));
  }
  return groups;
}

PlannedFile plan_safetensors(std::string name, std::vector<NamedTensor> group) {
  std::vector<SafetensorsTensor> entries;
  for (const NamedTensor& tensor : group) entries.push_back(tensor.entry);
  PlannedFile file{.name = std::move(name), .head = safetensors_header(entries)};
  file.size_bytes = file.head.size();
  for (NamedTensor& tensor : group) {
    tensor.planned.begin = file.size_bytes;
    file.size_bytes += tensor.entry.size_bytes;
    file.tensors.push_back(std::move(tensor.planned));
  }
  return file;
}

PlannedFile whole_file(std::string_view name, std::string text) {
  PlannedFile file{.name = std::string(name), .head = std::move(text)};
  file.size_bytes = file.head.size();
  return file;
}
PlannedFile json_file(std::string_view name, const json::object& object) {
  return whole_file(name, json::serialize(object) + "\n");
}

/// The files with the weights, and the index where there are several. Their numbers count from 0, up to the last one,
/// as those of the published files do.
std::vector<PlannedFile> plan_weights(std::vector<std::vector<NamedTensor>> groups) {
  std::vector<PlannedFile> files;
  json::object weight_map;
  uint64_t total_bytes = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string name = groups.size() == 1 ? "model.safetensors"
                                                : fmt::format("model-{:05}-of-{:05}.safetensors", i, groups.size() - 1);
    for (const NamedTensor& tensor : groups[i]) {
      weight_map[tensor.entry.name] = name;
      total_bytes += tensor.entry.size_bytes;
    }
    files.push_back(plan_safetensors(name, std::move(groups[i])));
  }
  if (files.size() > 1)
    files.push_back(
        json_file(kIndexName, {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", std::move(weight_map)}}));
  return files;
}

}  // namespace

std::vector<PlannedFile> plan_hugging_face(const Preset& preset, uint64_t seed, uint64_t max_file_bytes) {
  std::vector<NamedTensor> tensors = TensorPlanner(preset.config, seed).plan(model_parts(preset.config));
  std::vector<PlannedFile> files = plan_weights(cut(std::move(tensors), max_file_bytes));
  files.push_back(json_file(kConfigName, config_json(preset)));
  files.push_back(json_file(kGenerationName, generation_config_json(preset)));
  files.push_back(whole_file(kTokenizerName, write_tokenizer_json(spell_o200k(preset.num_text_tokens))));
  files.push_back(json_file(kTokenizerConfigName, tokenizer_config_json(preset)));
  return files;
}

bool is_hugging_face_file(std::string_view name) {
  constexpr std::string_view kJsonNames[] = {kConfigName, kGenerationName, kTokenizerName, kTokenizerConfigName,
                                             kIndexName};
  return std::ranges::find(kJsonNames, name) != std::end(kJsonNames) ||
         (name.starts_with("model") && name.ends_with(kWeightsExtension));
}

}  // namespace gossamer::synthetic
