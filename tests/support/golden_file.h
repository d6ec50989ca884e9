#pragma once
/// Expected values in safetensors files, for tests.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/mmap_file.h"
#include "base/result.h"

namespace gossamer::testing {

/// A safetensors file whose tensors are read by name. Missing names and wrong types fail the test through GOS_CHECK.
class GoldenFile {
 public:
  static Result<GoldenFile> open(const std::string& path);

  bool has(const std::string& name) const { return tensors_.contains(name); }
  const std::vector<uint64_t>& shape(const std::string& name) const;
  std::span<const float> f32(const std::string& name) const;
  std::span<const double> f64(const std::string& name) const;
  std::span<const int32_t> i32(const std::string& name) const;
  std::span<const uint8_t> u8(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  struct Tensor {
    std::string dtype;
    std::vector<uint64_t> shape;
    std::span<const std::byte> bytes;
  };
  const Tensor& find(const std::string& name, const char* dtype) const;
  MmapFile file_;
  std::map<std::string, Tensor> tensors_;
};

/// Folder of the expected values made with other implementations; empty where this checkout has none beside it.
std::string oracle_folder();

}  // namespace gossamer::testing
