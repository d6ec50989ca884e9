#include "checkpoint/safetensors_header.h"

#include <bit>

#include "base/json.h"

namespace gossamer {

static_assert(std::endian::native == std::endian::little, "safetensors is little endian");

std::string safetensors_header(std::span<const SafetensorsTensor> tensors) {
  constexpr size_t kAlignment = 8;
  json::object header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", json::array(tensor.shape.begin(), tensor.shape.end())},
                           {"data_offsets", {offset, offset + tensor.size_bytes}}};
    offset += tensor.size_bytes;
  }
  std::string text = json::serialize(header);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const uint64_t text_bytes = text.size();
  return std::string(reinterpret_cast<const char*>(&text_bytes), sizeof text_bytes) + text;
}

}  // namespace gossamer
