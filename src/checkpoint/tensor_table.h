#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/dtype.h"
#include "base/mmap_file.h"
#include "base/result.h"

namespace gossamer {

/// A tensor of a mapped file, whatever the format.
struct TableTensor {
  std::string name;
  uint32_t file = 0;            ///< index into TensorTable::files()
  std::string dtype_name;       ///< as the file calls it
  std::optional<Dtype> dtype;   ///< nothing where the engine does not compute with it
  std::vector<uint64_t> shape;  ///< row-major
  const std::byte* data = nullptr;
  uint64_t size_bytes = 0;
};

/// All tensors of a model by name. Keeps the files mapped.
class TensorTable {
 public:
  /// Maps a safetensors file and adds its tensors. Errors: of the parser, and a name that another file has too.
  Status add_safetensors(const std::string& path);

  /// The same for a file that is mapped already, or of another format.
  uint32_t add_file(MmapFile file);
  Status add(TableTensor tensor);

  /// nullptr where there is none of that name.
  const TableTensor* find(std::string_view name) const;
  const std::vector<TableTensor>& tensors() const { return tensors_; }
  const std::vector<MmapFile>& files() const { return files_; }
  const std::string& path_of(const TableTensor& tensor) const { return files_[tensor.file].path(); }

 private:
  std::vector<MmapFile> files_;
  std::vector<TableTensor> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

/// Maps a file of a model. Errors: as MmapFile::open; a pipe or device is refused before it is opened.
Result<MmapFile> map_model_file(const std::string& path);

}  // namespace gossamer
