#include "synthetic/write_model.h"

#include "synthetic/gguf_plan.h"
#include "synthetic/hugging_face_plan.h"
#include "synthetic/pending_output.h"
#include "synthetic/write_tensors.h"

namespace gossamer::synthetic {
namespace {

std::vector<PlannedFile> plan_files(const ModelRequest& request) {
  if (request.format == ModelFormat::kSafetensors) return plan_hugging_face(request.preset, request.seed);
  std::vector<PlannedFile> files;
  files.push_back(plan_gguf(request.preset, request.seed));
  return files;
}

/// The name of `path` without its folder, for people.
std::string_view last_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

}  // namespace

Result<WrittenModel> write_model(const ModelRequest& request, const ProgressFn& progress,
                                 const std::function<bool()>& go_on) {
  const OutputKind kind = request.format == ModelFormat::kGguf ? OutputKind::kFile : OutputKind::kFolder;
  GOS_TRY(PendingOutput output, PendingOutput::create(request.path, kind, request.force));
  const std::vector<PlannedFile> files = plan_files(request);
  WrittenModel model;
  for (const PlannedFile& file : files) {
    ++model.num_files;
    model.size_bytes += file.size_bytes;
  }
  GOS_TRY_STATUS(check_free_space(request.path, model.size_bytes, free_space_bytes(request.path)));

  GOS_TRY(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(request.num_threads));
  uint64_t done_bytes = 0;
  for (const PlannedFile& file : files) {
    const std::string path = file.name.empty() ? output.part_path() : output.part_path() + "/" + file.name;
    const std::string stage = fmt::format("writing {}", file.name.empty() ? last_name(request.path) : file.name);
    const auto on_written = [&](uint64_t bytes) {
      done_bytes += bytes;
      if (progress) progress(stage, done_bytes, model.size_bytes);
      return go_on();
    };
    GOS_TRY_STATUS(write_planned_file(file, path, *pool, on_written));
  }
  GOS_TRY_STATUS(output.publish());
  return model;
}

}  // namespace gossamer::synthetic
