#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "checkpoint/gguf.h"

namespace gossamer {

/// Puts the header of a GGUF file (version 3) together: first all values, then all tensors, then finish(). The data of
/// the tensors follows in their order, each aligned to kAlignment; what is between them is zero.
class GgufHeaderWriter {
 public:
  static constexpr uint64_t kAlignment = 32;  ///< what readers assume where the file does not say

  void add_uint32(std::string_view key, uint32_t value);
  void add_float32(std::string_view key, float value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_int32s(std::string_view key, std::span<const int32_t> values);

  /// `type` is ggml's number, `shape` row-major. Returns where its data begins, counted from the end of the header.
  uint64_t add_tensor(std::string_view name, uint32_t type, std::span<const uint64_t> shape, uint64_t size_bytes);

  /// The header, padded to the alignment.
  std::string finish() const;
  /// Bytes of all tensors, the padding after each included.
  uint64_t data_bytes() const { return data_bytes_; }

 private:
  void begin_value(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, uint64_t count);

  std::string values_, tensors_;
  uint64_t num_values_ = 0, num_tensors_ = 0;
  uint64_t data_bytes_ = 0;
};

}  // namespace gossamer
