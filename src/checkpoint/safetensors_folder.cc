#include "checkpoint/safetensors_folder.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "checkpoint/json_fields.h"
#include "checkpoint/paths.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxIndexBytes = 64 << 20;
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kExtension = ".safetensors";

/// A name that cannot lead out of its folder, nor steer the terminal that shows it.
bool is_plain_file_name(std::string_view name) {
  const auto is_plain = [](unsigned char c) { return c >= 0x20 && c != 0x7f && c != '/'; };
  return name.ends_with(kExtension) && name.front() != '.' && std::ranges::all_of(name, is_plain);
}

/// All safetensors files of a folder, sorted by name.
std::vector<std::string> list_safetensors(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    std::string name = entry->path().filename().string();
    if (is_plain_file_name(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

/// Every tensor of the index must be in the file that it names.
Status check_index(const SafetensorsIndex& index, const TensorTable& table, const std::string& folder,
                   const std::string& index_path) {
  for (const auto& [name, file] : index.weight_map) {
    const TableTensor* tensor = table.find(name);
    const std::string expected = folder + "/" + file;
    if (!tensor)
      return make_error(ErrorCode::kInvalidInput, "{} places tensor {} in {}, which does not have it", index_path,
                        excerpt(name), expected);
    if (table.path_of(*tensor) != expected)
      return make_error(ErrorCode::kInvalidInput, "{} places tensor {} in {}, but it is in {}", index_path,
                        excerpt(name), expected, table.path_of(*tensor));
  }
  return {};
}

}  // namespace

Result<SafetensorsIndex> parse_safetensors_index(std::string_view text, std::string_view what) {
  GOS_TRY(const json::value root, parse_json(text, what));
  const json::value* member = find_member(root, "weight_map");
  const json::object* map = member ? member->if_object() : nullptr;
  if (!map || map->empty())
    return make_error(ErrorCode::kInvalidInput, "{} has no weight_map from tensors to files", what);
  SafetensorsIndex index;
  for (const auto& [name, value] : *map) {
    const json::string* file = value.if_string();
    if (!file || !is_plain_file_name(*file))
      return make_error(ErrorCode::kInvalidInput,
                        "{} places tensor {} in {}, which is no .safetensors file of the same folder", what,
                        excerpt(name), json_excerpt(value));
    index.weight_map.emplace_back(name, std::string(*file));
    index.files.emplace_back(*file);
  }
  std::ranges::sort(index.files);
  const auto [first, last] = std::ranges::unique(index.files);
  index.files.erase(first, last);
  return index;
}

Result<TensorTable> map_safetensors_folder(const std::string& folder, const ProgressFn& progress) {
  const std::string index_path = folder + "/" + std::string(kIndexName);
  SafetensorsIndex index;
  if (path_exists(index_path)) {
    GOS_TRY(const std::string text, read_file(index_path, kMaxIndexBytes));
    GOS_TRY(index, parse_safetensors_index(text, index_path));
  } else {
    index.files = list_safetensors(folder);
  }
  if (index.files.empty())
    return make_error(ErrorCode::kNotFound, "{} has a config.json but no .safetensors files: download the weights too",
                      folder);

  TensorTable table;
  for (size_t i = 0; i < index.files.size(); ++i) {
    if (progress) progress("opening model files", i, index.files.size());
    const std::string path = folder + "/" + index.files[i];
    if (!path_exists(path))
      return make_error(ErrorCode::kNotFound, "{} names {}, which is not there: the download is not complete",
                        index_path, path);
    GOS_TRY_STATUS(table.add_safetensors(path));
  }
  if (progress) progress("opening model files", index.files.size(), index.files.size());
  GOS_TRY_STATUS(check_index(index, table, folder, index_path));
  return table;
}

}  // namespace gossamer
