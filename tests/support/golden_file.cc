#include "support/golden_file.h"

#include <filesystem>

#include "base/check.h"
#include "checkpoint/safetensors.h"

namespace gossamer::testing {

Result<GoldenFile> GoldenFile::open(const std::string& path) {
  GoldenFile golden;
  GOS_TRY(golden.file_, MmapFile::open(path));
  GOS_TRY(const auto tensors, parse_safetensors(golden.file_.bytes(), path));
  for (const SafetensorsTensor& t : tensors)
    golden.tensors_[t.name] = {t.dtype, t.shape, golden.file_.bytes().subspan(t.begin, t.size_bytes)};
  return golden;
}

const GoldenFile::Tensor& GoldenFile::find(const std::string& name, const char* dtype) const {
  const auto at = tensors_.find(name);
  if (at == tensors_.end() || at->second.dtype != dtype) {
    std::fprintf(stderr, "%s has no %s tensor '%s'\n", file_.path().c_str(), dtype, name.c_str());
    GOS_CHECK(false);
  }
  return at->second;
}

const std::vector<uint64_t>& GoldenFile::shape(const std::string& name) const {
  GOS_CHECK(has(name));
  return tensors_.at(name).shape;
}

std::span<const float> GoldenFile::f32(const std::string& name) const {
  const auto bytes = find(name, "F32").bytes;
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<const double> GoldenFile::f64(const std::string& name) const {
  const auto bytes = find(name, "F64").bytes;
  return {reinterpret_cast<const double*>(bytes.data()), bytes.size() / sizeof(double)};
}

std::span<const int32_t> GoldenFile::i32(const std::string& name) const {
  const auto bytes = find(name, "I32").bytes;
  return {reinterpret_cast<const int32_t*>(bytes.data()), bytes.size() / sizeof(int32_t)};
}

std::span<const uint8_t> GoldenFile::u8(const std::string& name) const {
  const auto bytes = find(name, "U8").bytes;
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

std::vector<std::string> GoldenFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

std::string oracle_folder() {
  const std::string folder = std::string(GOSSAMER_SHARED_DIR) + "/oracle";
  return std::filesystem::is_directory(folder) ? folder : "";
}

}  // namespace gossamer::testing
