#include "checkpoint/layouts.h"

#include <charconv>
#include <filesystem>

#include "checkpoint/shape.h"

namespace gossamer {
namespace {

/// `_blocks` and `_scales` of safetensors are bytes to the format, but MXFP4 to people.
Dtype shown_dtype(const TableTensor& tensor) {
  if (tensor.dtype == Dtype::kU8 && tensor.shape.size() >= 3) return Dtype::kMxfp4;
  return tensor.dtype.value_or(Dtype::kU8);
}

}  // namespace

std::vector<StoredTensor> list_stored(const TensorTable& table) {
  std::vector<StoredTensor> stored;
  stored.reserve(table.tensors().size());
  for (const TableTensor& tensor : table.tensors()) {
    stored.push_back({.name = tensor.name,
                      .file = std::filesystem::path(table.path_of(tensor)).filename().string(),
                      .dtype = shown_dtype(tensor),
                      .shape = tensor.shape,
                      .size_bytes = tensor.size_bytes});
  }
  return stored;
}

Status check_no_extra_layers(const TensorTable& table, std::string_view prefix, const ModelConfig& config,
                             std::string_view config_source) {
  for (const TableTensor& tensor : table.tensors()) {
    const std::string_view name = tensor.name;
    if (!name.starts_with(prefix)) continue;
    const std::string_view number = name.substr(prefix.size());
    uint64_t layer = 0;
    const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), layer);
    if (failure == std::errc() && layer >= config.num_layers)
      return make_error(ErrorCode::kInvalidInput, "{} has tensor {}, but the number of layers is {} by {}",
                        table.path_of(tensor), excerpt(name), config.num_layers, config_source);
  }
  return {};
}

}  // namespace gossamer
