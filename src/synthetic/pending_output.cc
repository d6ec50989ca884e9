#include "synthetic/pending_output.h"

#include <filesystem>
#include <limits>
#include <utility>

#include "checkpoint/paths.h"
#include "checkpoint/summary.h"
#include "synthetic/hugging_face_plan.h"

namespace gossamer::synthetic {
namespace {

namespace fs = std::filesystem;

std::string folder_around(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

/// The name of something in a folder that is no file of a model in the Hugging Face layout; empty where there is none.
Result<std::string> foreign_entry(const std::string& folder) {
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    std::string name = entry->path().filename().string();
    if (!is_hugging_face_file(name) || !is_file(entry->path())) return name;
  }
  if (failure) return make_error(ErrorCode::kIo, "cannot read {}: {}", folder, failure.message());
  return std::string();
}

/// Whether what is at `path` may be thrown away for a model of this kind.
Status check_replaceable(const std::string& path, OutputKind kind) {
  if (kind == OutputKind::kFile) {
    if (is_file(path)) return {};
    return make_error(ErrorCode::kInvalidInput, "{} is {}, but a GGUF model is one file: choose another name", path,
                      is_folder(path) ? "a folder" : "no ordinary file");
  }
  if (!is_folder(path))
    return make_error(ErrorCode::kInvalidInput,
                      "{} is a file, but a model in safetensors is a folder: choose another name", path);
  GOS_TRY(const std::string foreign, foreign_entry(path));
  if (!foreign.empty())
    return make_error(
        ErrorCode::kInvalidInput,
        "{} holds {}, which is no file of such a model, so the folder is not replaced: choose another name", path,
        foreign);
  return {};
}

bool is_empty_folder(const std::string& path) {
  std::error_code failure;
  return is_folder(path) && fs::is_empty(path, failure);
}

Status check_path(const std::string& path, OutputKind kind, bool force) {
  if (const std::string around = folder_around(path); !is_folder(around))
    return make_error(ErrorCode::kNotFound, "there is no folder {} to put {} into: make it first", around,
                      fs::path(path).filename().string());
  if (!path_exists(path) || (kind == OutputKind::kFolder && is_empty_folder(path))) return {};
  GOS_TRY_STATUS(check_replaceable(path, kind));
  if (force) return {};
  return make_error(ErrorCode::kInvalidInput, "{} is there already: choose another name, or replace it with --force",
                    path);
}

}  // namespace

Result<PendingOutput> PendingOutput::create(const std::string& path, OutputKind kind, bool force) {
  GOS_TRY_STATUS(check_path(path, kind, force));
  PendingOutput output(path, kind);
  const std::string& part = output.part_path_;
  std::error_code failure;
  if (path_exists(part)) {
    output.pending_ = false;  // what is there is not ours to remove before we know what it is
    GOS_TRY_STATUS(check_replaceable(part, kind));
    output.pending_ = true;
    fs::remove_all(part, failure);
  }
  if (!failure && kind == OutputKind::kFolder) fs::create_directory(part, failure);
  if (failure) return make_error(ErrorCode::kIo, "cannot write {}: {}", part, failure.message());
  return output;
}

PendingOutput::PendingOutput(PendingOutput&& other) noexcept
    : path_(std::move(other.path_)),
      part_path_(std::move(other.part_path_)),
      kind_(other.kind_),
      pending_(std::exchange(other.pending_, false)) {}

PendingOutput::~PendingOutput() {
  std::error_code ignored;
  if (pending_) fs::remove_all(part_path_, ignored);
}

Status PendingOutput::publish() {
  std::error_code failure;
  if (kind_ == OutputKind::kFolder) fs::remove_all(path_, failure);
  if (!failure) fs::rename(part_path_, path_, failure);
  if (failure) return make_error(ErrorCode::kIo, "cannot write {}: {}", path_, failure.message());
  pending_ = false;
  return {};
}

uint64_t free_space_bytes(const std::string& path) {
  std::error_code failure;
  const fs::space_info space = fs::space(folder_around(path), failure);
  return failure ? std::numeric_limits<uint64_t>::max() : space.available;
}

Status check_free_space(const std::string& path, uint64_t needed_bytes, uint64_t free_bytes) {
  if (needed_bytes <= free_bytes) return {};
  return make_error(ErrorCode::kIo, "{} needs {}, but {} are free on its disk: make room, or write it to another disk",
                    path, bytes_text(needed_bytes), bytes_text(free_bytes));
}

}  // namespace gossamer::synthetic
