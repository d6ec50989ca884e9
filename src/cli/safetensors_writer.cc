#include "cli/safetensors_writer.h"

#include <bit>
#include <cstdio>

#include "base/json.h"

namespace gossamer::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

/// The JSON header, padded with spaces so that the data after it is aligned to 8 bytes.
std::string header_of(const std::vector<SafetensorsWriter::Tensor>& tensors) {
  json::object header;
  uint64_t offset = 0;
  for (const SafetensorsWriter::Tensor& tensor : tensors) {
    uint64_t size_bytes = sizeof(float);
    for (const uint64_t extent : tensor.shape) size_bytes *= extent;
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", json::array(tensor.shape.begin(), tensor.shape.end())},
                           {"data_offsets", {offset, offset + size_bytes}}};
    offset += size_bytes;
  }
  std::string text = json::serialize(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string& path, const std::vector<Tensor>& tensors) {
  SafetensorsWriter writer(path, std::ofstream(path + ".part", std::ios::binary | std::ios::trunc));
  const std::string header = header_of(tensors);
  const uint64_t header_bytes = header.size();
  writer.file_.write(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  writer.file_ << header;
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
