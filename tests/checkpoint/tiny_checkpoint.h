#pragma once
/// Small random gpt-oss models on disk, for tests that need a checkpoint and no oracle. The same config and seed give
/// the same bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/model_config.h"

namespace gossamer::testing {

/// A tensor to be written into a safetensors file.
struct FileTensor {
  std::string name;
  std::string dtype;  // "BF16" or "U8"
  std::vector<uint64_t> shape;
  std::string bytes;
};

/// 2 layers, hidden 64, intermediate 96, 4 heads over 2 of 16, 4 experts of which 2 are active, vocabulary 80, window
/// 8, context 64 x 4.
ModelConfig tiny_config();

/// Every tensor of the Hugging Face layout: BF16, and MXFP4 experts; no value is large, all 16 codes occur.
std::vector<FileTensor> hugging_face_tensors(const ModelConfig& config, uint64_t seed);
/// The same weights under the names of OpenAI's `original/` layout.
std::vector<FileTensor> original_tensors(const ModelConfig& config, uint64_t seed);

/// config.json as openai/gpt-oss-20b's, and as that of its original/ folder.
json::object hugging_face_config(const ModelConfig& config);
json::object original_config(const ModelConfig& config);

/// A safetensors file with the tensors one after another.
std::string safetensors_bytes(const std::vector<FileTensor>& tensors);

/// Whole models. With `shards` above 1 there is an index, and the file names count from 00000 as the published ones do.
void write_hugging_face(const std::string& folder, const ModelConfig& config, uint64_t seed, uint32_t shards = 1);
void write_original(const std::string& folder, const ModelConfig& config, uint64_t seed);

void write_file(const std::string& path, std::string_view bytes);

}  // namespace gossamer::testing
