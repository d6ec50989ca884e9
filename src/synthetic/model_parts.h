#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/model_config.h"
#include "synthetic/random_weights.h"

namespace gossamer::synthetic {

enum class PartKind : uint8_t {
  kEmbedding,  ///< [rows, cols], looked up by row
  kMatrix,     ///< [rows, cols]
  kRouter,     ///< [rows, cols], in full precision where a format has it
  kNorm,       ///< [rows]
  kBias,       ///< [rows]
  kSinks,      ///< [rows]
  kGateUp,     ///< gate and up of all experts, each [experts, rows, cols], with their biases [experts, rows]
  kDown,       ///< down of all experts, [experts, rows, cols], with its bias [experts, rows]
};

/// One part of gpt-oss and what the formats call it. Of experts, `gguf_name` lacks "gate_exps.weight" and the like,
/// `hugging_face_name` "_blocks", "_scales" and "_bias".
struct ModelPart {
  PartKind kind;
  std::string gguf_name, hugging_face_name;
  uint64_t rows = 0, cols = 0;
};

/// All parts, in the order of the files: embedding, layers, final norm, head.
std::vector<ModelPart> model_parts(const ModelConfig& config);

/// Which vector a part is: for kNorm, kBias and kSinks.
VectorKind vector_kind(PartKind kind);

}  // namespace gossamer::synthetic
