#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/dtype.h"

namespace gossamer {

/// A tensor type of ggml: blocks of `block_elements` in `block_bytes`.
struct GgmlType {
  std::string_view name;
  uint32_t block_elements;
  uint32_t block_bytes;
  std::optional<Dtype> dtype;  ///< what the engine calls it; nothing where it does not compute with it
};

/// MXFP4 as Ollama numbered it until October 2025, though ggml calls it 39: 17-byte blocks, scale first, but with the
/// nibbles in the order of the safetensors files. Number 4 was Q4_2, long gone.
inline constexpr uint32_t kEarlyOllamaMxfp4 = 4;

/// The type numbered `number`, or nullptr where ggml has (or had) none of that number that we know.
const GgmlType* find_ggml_type(uint32_t number);

}  // namespace gossamer
