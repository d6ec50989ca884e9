#pragma once
/// The header of a safetensors file: 8 bytes of length (little endian), then that much JSON, then the data of all
/// tensors. Source: the format's own description, https://github.com/huggingface/safetensors#format.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gossamer {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;            ///< as written: "BF16", "U8", ...
  std::vector<uint64_t> shape;  ///< row-major; empty for a scalar
  uint64_t begin = 0;           ///< bytes from the start of the file
  uint64_t size_bytes = 0;
};

/// The tensors of `file` (the whole file) in the order of their data. `what` names the file in errors.
/// Errors: a header that is longer than the file or malformed, an unknown dtype, a size that is not the product of the
/// shape, data outside the file, tensors that overlap, bytes that belong to no tensor.
Result<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> file, std::string_view what);

}  // namespace gossamer
