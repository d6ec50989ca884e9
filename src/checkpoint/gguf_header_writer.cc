#include "checkpoint/gguf_header_writer.h"

#include <bit>
#include <ranges>

namespace gossamer {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is written little endian");

constexpr uint32_t kVersion = 3;

uint64_t aligned(uint64_t bytes) {
  return (bytes + GgufHeaderWriter::kAlignment - 1) / GgufHeaderWriter::kAlignment * GgufHeaderWriter::kAlignment;
}

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_string(std::string& out, std::string_view text) {
  append_raw<uint64_t>(out, text.size());
  out.append(text);
}

}  // namespace

void GgufHeaderWriter::begin_value(std::string_view key, GgufType type) {
  ++num_values_;
  append_string(values_, key);
  append_raw(values_, static_cast<uint32_t>(type));
}

void GgufHeaderWriter::begin_array(std::string_view key, GgufType type, uint64_t count) {
  begin_value(key, GgufType::kArray);
  append_raw(values_, static_cast<uint32_t>(type));
  append_raw(values_, count);
}

void GgufHeaderWriter::add_uint32(std::string_view key, uint32_t value) {
  begin_value(key, GgufType::kUint32);
  append_raw(values_, value);
}

void GgufHeaderWriter::add_float32(std::string_view key, float value) {
  begin_value(key, GgufType::kFloat32);
  append_raw(values_, value);
}

void GgufHeaderWriter::add_string(std::string_view key, std::string_view value) {
  begin_value(key, GgufType::kString);
  append_string(values_, value);
}

void GgufHeaderWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::kString, values.size());
  for (const std::string& value : values) append_string(values_, value);
}

void GgufHeaderWriter::add_int32s(std::string_view key, std::span<const int32_t> values) {
  begin_array(key, GgufType::kInt32, values.size());
  for (const int32_t value : values) append_raw(values_, value);
}

uint64_t GgufHeaderWriter::add_tensor(std::string_view name, uint32_t type, std::span<const uint64_t> shape,
                                      uint64_t size_bytes) {
  const uint64_t begin = data_bytes_;
  ++num_tensors_;
  append_string(tensors_, name);
  append_raw(tensors_, static_cast<uint32_t>(shape.size()));
  for (const uint64_t extent : std::views::reverse(shape)) append_raw(tensors_, extent);
  append_raw(tensors_, type);
  append_raw(tensors_, begin);
  data_bytes_ += aligned(size_bytes);
  return begin;
}

std::string GgufHeaderWriter::finish() const {
  std::string header = "GGUF";
  append_raw(header, kVersion);
  append_raw(header, num_tensors_);
  append_raw(header, num_values_);
  header += values_;
  header += tensors_;
  header.resize(aligned(header.size()));
  return header;
}

}  // namespace gossamer
