#include "checkpoint/broken_model.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "checkpoint/checkpoint.h"

namespace gossamer::testing {
namespace {

constexpr uint64_t kSeed = 1;

std::string with_header(const std::string& file, const std::function<void(std::string&)>& edit) {
  uint64_t length;
  std::memcpy(&length, file.data(), sizeof(length));
  std::string header = file.substr(sizeof(length), length);
  const std::string data = file.substr(sizeof(length) + length);
  edit(header);
  length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header + data;
}

}  // namespace

FileTensor& FolderModel::tensor(const std::string& name) {
  const auto at = std::ranges::find(tensors, name, &FileTensor::name);
  GOS_CHECK(at != tensors.end());
  return *at;
}

void FolderModel::erase(const std::string& name) {
  GOS_CHECK(std::erase_if(tensors, [&](const FileTensor& tensor) { return tensor.name == name; }) == 1);
}

void FolderModel::write(const std::string& folder) const {
  std::filesystem::create_directories(folder);
  std::string weights = safetensors_bytes(tensors);
  if (edit_header) weights = with_header(weights, edit_header);
  if (edit_file) edit_file(weights);
  write_file(folder + "/config.json", json::serialize(config));
  write_file(folder + "/model.safetensors", weights);
  for (const auto& [name, content] : files) {
    if (content == "-") {
      std::filesystem::remove(folder + "/" + name);
    } else {
      write_file(folder + "/" + name, content);
    }
  }
}

FolderModel hugging_face_model() {
  return {.config = hugging_face_config(tiny_config()),
          .tensors = hugging_face_tensors(tiny_config(), kSeed),
          .edit_header = {},
          .edit_file = {},
          .files = {}};
}

FolderModel original_model() {
  return {.config = original_config(tiny_config()),
          .tensors = original_tensors(tiny_config(), kSeed),
          .edit_header = {},
          .edit_file = {},
          .files = {}};
}

void replace_first(std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  GOS_CHECK(at != std::string::npos);
  text.replace(at, from.size(), to);
}

std::string open_error(const std::string& path, const std::string& folder) {
  const auto checkpoint = Checkpoint::open(path);
  if (checkpoint.ok()) return "opened";
  std::string message = checkpoint.error().message;
  for (size_t at = 0; (at = message.find(folder, at)) != std::string::npos;) message.replace(at, folder.size(), "DIR");
  return message;
}

}  // namespace gossamer::testing
