#include "cli/safetensors_writer.h"

#include <cstdio>

#include "checkpoint/safetensors_header.h"

namespace gossamer::cli {
namespace {

std::string header_of(const std::vector<SafetensorsWriter::Tensor>& tensors) {
  std::vector<SafetensorsTensor> announced;
  for (const SafetensorsWriter::Tensor& tensor : tensors) {
    uint64_t size_bytes = sizeof(float);
    for (const uint64_t extent : tensor.shape) size_bytes *= extent;
    announced.push_back({.name = tensor.name, .dtype = "F32", .shape = tensor.shape, .size_bytes = size_bytes});
  }
  return safetensors_header(announced);
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string& path, const std::vector<Tensor>& tensors) {
  SafetensorsWriter writer(path, std::ofstream(path + ".part", std::ios::binary | std::ios::trunc));
  writer.file_ << header_of(tensors);
  if (!writer.file_) return make_error(ErrorCode::kIo, "cannot write {}", path);
  return writer;
}

SafetensorsWriter::~SafetensorsWriter() {
  if (file_.is_open()) std::remove(part_path().c_str());
}

void SafetensorsWriter::append(std::span<const float> values) {
  file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
}

Status SafetensorsWriter::finish() {
  file_.flush();
  if (!file_ || std::rename(part_path().c_str(), path_.c_str()) != 0)
    return make_error(ErrorCode::kIo, "cannot write {}: is there room on its disk?", path_);
  file_.close();
  return {};
}

}  // namespace gossamer::cli
