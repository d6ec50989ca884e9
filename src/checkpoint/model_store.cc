#include "checkpoint/model_store.h"

#include <algorithm>
#include <filesystem>

#include "base/mmap_file.h"
#include "checkpoint/model_name.h"
#include "checkpoint/ollama_manifest.h"
#include "checkpoint/paths.h"
#include "checkpoint/split_name.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGguf = ".gguf";
constexpr uint64_t kMaxManifestBytes = 1 << 20, kMaxRefBytes = 1 << 12;

/// The entries of a folder, sorted by name; empty where it cannot be read.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
    entries.push_back(entry->path());
  std::ranges::sort(entries);
  return entries;
}

/// The .gguf files of a folder; of a split model only the first part.
std::vector<std::string> gguf_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const fs::path& path : entries_of(folder)) {
    if (path.extension() != kGguf || !is_file(path)) continue;
    if (const auto split = parse_split_name(path.filename().string()); split && split->number != 1) continue;
    files.push_back(path.string());
  }
  return files;
}

/// Offers the model in `folder` under `name`. A folder with several .gguf files is offered as itself, so that opening
/// it says so.
void offer_folder(std::vector<StoredModel>& models, std::string name, const std::string& folder) {
  const auto model = model_in_folder(folder);
  if (!model.ok()) {
    models.push_back({std::move(name), folder});
  } else if (model->has_value()) {
    models.push_back({std::move(name), **model});
  }
}

/// The snapshot that refs/main names; else the one written last.
std::optional<std::string> main_snapshot(const fs::path& repository) {
  const fs::path snapshots = repository / "snapshots";
  if (const auto text = read_file((repository / "refs" / "main").string(), kMaxRefBytes); text.ok()) {
    const std::string revision = text->substr(0, text->find_first_of(" \r\n\t"));
    const bool plain = !revision.empty() && revision.find_first_of("/.") == std::string::npos;
    if (plain && is_folder(snapshots / revision)) return (snapshots / revision).string();
  }
  std::optional<std::string> newest;
  fs::file_time_type newest_time;
  for (const fs::path& snapshot : entries_of(snapshots)) {
    std::error_code failure;
    const auto time = fs::last_write_time(snapshot, failure);
    if (failure || !is_folder(snapshot) || (newest && time <= newest_time)) continue;
    newest = snapshot.string();
    newest_time = time;
  }
  return newest;
}

/// OpenAI's own repository first, then the GGUF one that llama.cpp names, then the rest by name.
int preference(const StoredModel& model) {
  const std::string organisation = spell_model_name(model.name).organisation;
  if (organisation == "openai") return 0;
  return organisation == "ggml-org" ? 1 : 2;
}

}  // namespace

Result<std::optional<std::string>> model_in_folder(const std::string& folder) {
  if (is_file(folder + "/config.json") || is_file(folder + "/original/config.json")) return std::optional(folder);
  std::vector<std::string> files = gguf_files(folder);
  if (files.empty()) return std::optional<std::string>();
  if (files.size() > 1) {
    std::vector<std::string> mxfp4;
    std::ranges::copy_if(files, std::back_inserter(mxfp4), [](const std::string& file) {
      return lower_case(fs::path(file).filename().string()).find("mxfp4") != std::string::npos;
    });
    if (mxfp4.size() != 1)
      return make_error(ErrorCode::kInvalidInput, "{} holds {} models, name one of them: {}", folder, files.size(),
                        fmt::join(files, ", "));
    files = mxfp4;
  }
  return std::optional(files.front());
}

std::vector<StoredModel> list_own_cache(const std::string& folder) {
  std::vector<StoredModel> models;
  for (const std::string& file : gguf_files(folder)) {
    const auto split = parse_split_name(fs::path(file).filename().string());
    models.push_back({split ? split->stem : fs::path(file).stem().string(), file});
  }
  for (const fs::path& path : entries_of(folder)) {
    if (!is_folder(path)) continue;
    const std::string name = path.filename().string();
    const size_t before = models.size();
    offer_folder(models, name, path.string());
    if (models.size() > before) continue;
    for (const fs::path& inner : entries_of(path))
      if (is_folder(inner)) offer_folder(models, name + "/" + inner.filename().string(), inner.string());
  }
  return models;
}

std::vector<StoredModel> list_hugging_face_cache(const std::string& folder) {
  std::vector<StoredModel> models;
  for (const fs::path& repository : entries_of(folder)) {
    const auto name = repository_of(repository.filename().string());
    if (!name) continue;
    if (const auto snapshot = main_snapshot(repository)) offer_folder(models, *name, *snapshot);
  }
  std::ranges::sort(models, {}, [](const StoredModel& model) { return std::pair(preference(model), model.name); });
  return models;
}

std::vector<StoredModel> list_ollama_store(const std::string& folder) {
  std::vector<StoredModel> models;
  for (const fs::path& host : entries_of(fs::path(folder) / "manifests")) {
    for (const fs::path& space : entries_of(host)) {
      for (const fs::path& tag : entries_of(space / "gpt-oss")) {
        const auto text = is_file(tag) ? read_file(tag.string(), kMaxManifestBytes) : Error{};
        if (!text.ok()) continue;
        const auto blob = parse_ollama_manifest(*text, tag.string());
        const std::string path = blob.ok() ? folder + "/blobs/" + *blob : "";
        if (!path.empty() && is_file(path)) models.push_back({"gpt-oss:" + tag.filename().string(), path});
      }
    }
  }
  return models;
}

}  // namespace gossamer
