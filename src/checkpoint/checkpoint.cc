#include "checkpoint/checkpoint.h"

#include <filesystem>

#include "base/json.h"
#include "checkpoint/config_json.h"
#include "checkpoint/layouts.h"
#include "checkpoint/model_name.h"
#include "checkpoint/paths.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxTokenizerBytes = 256 << 20;
constexpr uint32_t kGptOssVocabSize = 201088;

/// Only the Hugging Face layout names the family.
Result<bool> is_hugging_face(const std::string& folder) {
  const std::string path = folder + "/config.json";
  GOS_TRY(const std::string text, read_file(path, kMaxConfigBytes));
  GOS_TRY(const json::value root, parse_json(text, path));
  return find_member(root, "model_type") || find_member(root, "architectures");
}

/// The folder that holds config.json: `path` itself, or its `original` subfolder where the top has none.
Result<std::string> config_folder(const std::string& path) {
  if (is_file(path + "/config.json")) return path;
  if (is_file(path + "/original/config.json")) return path + "/original";
  return make_error(ErrorCode::kNotFound,
                    "{} is a folder without config.json: a model folder has config.json and .safetensors files", path);
}

/// What people call a folder: its name, that of the folder above for `original`, that of the repository in the Hugging
/// Face cache (models--ORGANISATION--NAME/snapshots/REVISION).
std::string folder_name(const std::string& folder) {
  std::error_code failure;
  fs::path path = fs::weakly_canonical(folder, failure);
  if (path.filename() == "original") path = path.parent_path();
  if (path.parent_path().filename() == "snapshots")
    if (const auto repository = repository_of(path.parent_path().parent_path().filename().string())) return *repository;
  return path.filename().string();
}

/// What people call a GGUF file that has no name of its own. Ollama's are called after their digest, which says
/// nothing.
std::string gguf_name(const std::string& path) {
  const fs::path file(path);
  return file.extension() == ".gguf" ? file.stem().string() : "gpt-oss";
}

Result<CheckpointParts> open_folder(const std::string& path, const ProgressFn& progress) {
  GOS_TRY(const std::string folder, config_folder(path));
  GOS_TRY(const bool hugging_face, is_hugging_face(folder));
  GOS_TRY(CheckpointParts parts,
          hugging_face ? open_hugging_face_layout(folder, progress) : open_original_layout(folder, progress));
  if (parts.name.empty()) parts.name = folder_name(folder);
  return parts;
}

Result<CheckpointParts> open_any(const std::string& path, const ProgressFn& progress) {
  if (is_folder(path)) return open_folder(path, progress);
  GOS_TRY(CheckpointParts parts, open_gguf_layout(path, progress));
  if (parts.name.empty()) parts.name = gguf_name(path);
  return parts;
}

}  // namespace

std::string_view format_name(CheckpointFormat format) {
  switch (format) {
    case CheckpointFormat::kHuggingFace:
      return "safetensors (Hugging Face layout)";
    case CheckpointFormat::kOriginal:
      return "safetensors (OpenAI's original layout)";
    case CheckpointFormat::kGguf:
      return "GGUF";
  }
  return "?";
}

Result<Checkpoint> Checkpoint::open(const std::string& path, const ProgressFn& progress) {
  GOS_TRY(CheckpointParts parts, open_any(path, progress));
  return Checkpoint(path, std::move(parts));
}

Result<std::shared_ptr<const Tokenizer>> Checkpoint::load_tokenizer() const {
  const uint32_t rows = config().vocab_size;
  if (parts_.vocabulary) return Tokenizer::from_gguf(*parts_.vocabulary, rows, path_);
  if (!parts_.tokenizer_json_path.empty()) {
    GOS_TRY(const std::string text, read_file(parts_.tokenizer_json_path, kMaxTokenizerBytes));
    return Tokenizer::from_tokenizer_json(text, rows, parts_.tokenizer_json_path);
  }
  if (rows == kGptOssVocabSize) return Tokenizer::o200k_harmony();
  return make_error(ErrorCode::kNotFound,
                    "{} has no tokenizer (tokenizer.json), and its vocabulary of {} is not the {} of gpt-oss", path_,
                    rows, kGptOssVocabSize);
}

}  // namespace gossamer
