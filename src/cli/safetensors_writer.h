#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer::cli {

/// Writes float32 tensors into a safetensors file, in the order in which they were announced. The file gets its name
/// when it is complete; until then it is NAME.part, which is removed where it is given up.
class SafetensorsWriter {
 public:
  struct Tensor {
    std::string name;
    std::vector<uint64_t> shape;
  };

  /// Errors: the file cannot be written.
  static Result<SafetensorsWriter> create(const std::string& path, const std::vector<Tensor>& tensors);
  SafetensorsWriter(SafetensorsWriter&& other) noexcept = default;
  ~SafetensorsWriter();

  /// The next elements.
  void append(std::span<const float> values);
  /// Errors: a write failed (the disk is full).
  Status finish();

 private:
  SafetensorsWriter(std::string path, std::ofstream file) : path_(std::move(path)), file_(std::move(file)) {}
  std::string part_path() const { return path_ + ".part"; }

  std::string path_;
  std::ofstream file_;
};

}  // namespace gossamer::cli
