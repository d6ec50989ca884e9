#pragma once
/// Files that are to be written: everything about them but their bulk is known beforehand.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gossamer::synthetic {

/// One tensor: rows of the same size, each of which can be made alone, on any thread.
struct PlannedTensor {
  uint64_t begin = 0;  ///< bytes from the start of the file
  uint64_t rows = 0, row_bytes = 0;
  std::function<void(uint64_t row, std::byte* out)> write_row;  ///< writes row_bytes
};

struct PlannedFile {
  std::string name;                         ///< in the folder of the model; empty where the model is this one file
  std::string head = {};                    ///< what stands at its start: all of it, or the header before the tensors
  std::vector<PlannedTensor> tensors = {};  ///< what is between them is zero
  uint64_t size_bytes = 0;
};

}  // namespace gossamer::synthetic
