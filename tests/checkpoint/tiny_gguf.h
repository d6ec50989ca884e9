#pragma once
/// GGUF files for tests, written from a description that a test can change first.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/model_config.h"

namespace gossamer::testing {

/// A GGUF file to be: keys with encoded values, tensors with their data.
struct GgufFile {
  struct Tensor {
    std::string name;
    uint32_t type = 0;
    std::vector<uint64_t> shape;  // row-major
    std::string bytes;
  };
  uint32_t version = 3;
  std::vector<std::pair<std::string, std::string>> values;
  std::vector<Tensor> tensors;
  uint64_t alignment = 32;

  /// Replaces or appends a value.
  void set(const std::string& key, std::string value);
  void erase(const std::string& key);
  Tensor& tensor(std::string_view name);
  std::string bytes() const;
};

/// Values as they stand in a file: type, then data.
std::string gguf_uint32(uint32_t number);
std::string gguf_uint16(uint16_t number);
std::string gguf_float32(float number);
std::string gguf_string(std::string_view text);
std::string gguf_strings(const std::vector<std::string>& texts);
std::string gguf_int32s(const std::vector<int32_t>& numbers);

/// Whose names and forms a file follows.
enum class GgufFlavour {
  kLlamaCpp,     ///< architecture gpt-oss, everything apart
  kOllama,       ///< architecture gptoss, attn_out, ffn_norm, attn_sinks without suffix, BF16 biases
  kOllamaFused,  ///< the same with q, k, v in one and gate, up interleaved, as Ollama's first files, but in ggml's
                 ///< MXFP4
};

/// The weights of hugging_face_tensors(config, seed) as GGUF: BF16 matrices, ggml's MXFP4, F32 for the rest; a toy
/// vocabulary.
GgufFile gguf_model(const ModelConfig& config, uint64_t seed, GgufFlavour flavour = GgufFlavour::kLlamaCpp);

/// `model` over `parts` files "<stem>-0000k-of-0000N.gguf".
void write_split_gguf(const std::string& stem, const GgufFile& model, uint32_t parts);

}  // namespace gossamer::testing
