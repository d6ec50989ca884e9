#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "checkpoint/tensor_table.h"

namespace gossamer {

/// model.safetensors.index.json: which file of the folder holds which tensor.
struct SafetensorsIndex {
  std::vector<std::string> files;                               ///< each once, sorted
  std::vector<std::pair<std::string, std::string>> weight_map;  ///< tensor name, file name
};

/// Errors: malformed JSON, no weight_map, file names that are no plain names of .safetensors files in the same folder.
Result<SafetensorsIndex> parse_safetensors_index(std::string_view text, std::string_view what);

/// Maps the safetensors files of a folder: those that the index names, else all there are.
/// Errors: none there, a file of the index missing, a tensor not in the file that the index names, and those of the
/// parser.
Result<TensorTable> map_safetensors_folder(const std::string& folder, const ProgressFn& progress);

}  // namespace gossamer
