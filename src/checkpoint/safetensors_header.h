#pragma once

#include <span>
#include <string>

#include "checkpoint/safetensors.h"

namespace gossamer {

/// What stands before the data of a safetensors file that holds `tensors` one after another: the length and the JSON,
/// padded so that the data is aligned to 8 bytes. Of each tensor, name, dtype, shape and size_bytes count. The metadata
/// says "pt", without which transformers refuses a file.
std::string safetensors_header(std::span<const SafetensorsTensor> tensors);

}  // namespace gossamer
