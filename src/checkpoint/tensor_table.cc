#include "checkpoint/tensor_table.h"

#include "checkpoint/paths.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

/// The engine's type for a safetensors dtype; nothing for those that gpt-oss files do not use.
std::optional<Dtype> dtype_of(std::string_view name) {
  for (Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kU8})
    if (dtype_name(dtype) == name) return dtype;
  return std::nullopt;
}

}  // namespace

Result<MmapFile> map_model_file(const std::string& path) {
  if (path_exists(path) && !is_file(path))
    return make_error(ErrorCode::kInvalidInput, "{} is not a regular file", path);
  return MmapFile::open(path);
}

Status TensorTable::add_safetensors(const std::string& path) {
  GOS_TRY(MmapFile file, map_model_file(path));
  GOS_TRY(auto tensors, parse_safetensors(file.bytes(), path));
  const std::byte* start = file.bytes().data();
  const uint32_t index = add_file(std::move(file));
  for (SafetensorsTensor& tensor : tensors) {
    GOS_TRY_STATUS(add({.name = std::move(tensor.name),
                        .file = index,
                        .dtype_name = tensor.dtype,
                        .dtype = dtype_of(tensor.dtype),
                        .shape = std::move(tensor.shape),
                        .data = start + tensor.begin,
                        .size_bytes = tensor.size_bytes}));
  }
  return {};
}

uint32_t TensorTable::add_file(MmapFile file) {
  files_.push_back(std::move(file));
  return static_cast<uint32_t>(files_.size() - 1);
}

Status TensorTable::add(TableTensor tensor) {
  const auto [entry, is_new] = by_name_.emplace(tensor.name, tensors_.size());
  if (!is_new)
    return make_error(ErrorCode::kInvalidInput, "tensor {} stands both in {} and in {}", excerpt(tensor.name),
                      path_of(tensors_[entry->second]), path_of(tensor));
  tensors_.push_back(std::move(tensor));
  return {};
}

const TableTensor* TensorTable::find(std::string_view name) const {
  const auto entry = by_name_.find(std::string(name));
  return entry == by_name_.end() ? nullptr : &tensors_[entry->second];
}

}  // namespace gossamer
