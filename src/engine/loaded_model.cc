#include "engine/loaded_model.h"

#include <algorithm>

#include "base/free_memory.h"

namespace gossamer {
namespace {

constexpr uint64_t kPrefetchMinBytes = 256ull << 20;  // smaller files fault in faster than a bar is drawn
constexpr uint64_t kPrefetchChunkBytes = 64ull << 20;
constexpr uint64_t kLeftFreeBytes = 1ull << 30;  // after a copy of the weights, for cache and activations

/// Brings the files of a large model into memory in the order of the disk, so that the first answer does not pay for
/// page faults one by one. Only advice: where it fails or memory is short, pages come in when they are touched.
void prefetch(const std::vector<MmapFile>& files, const ProgressFn& progress) {
  uint64_t total = 0, done = 0;
  for (const MmapFile& file : files) total += file.size_bytes();
  if (total < kPrefetchMinBytes || total > free_memory_bytes()) return;
  for (const MmapFile& file : files) {
    for (uint64_t offset = 0; offset < file.size_bytes(); offset += kPrefetchChunkBytes) {
      const uint64_t length = std::min(kPrefetchChunkBytes, file.size_bytes() - offset);
      read_ahead(file.bytes().subspan(offset, length));
      done += length;
      if (progress) progress("loading", done, total);
    }
  }
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const std::string& path, const LoadOptions& options,
                                                       const ProgressFn& progress) {
  GOS_TRY(Checkpoint checkpoint, Checkpoint::open(path, progress));
  auto loaded = std::make_unique<LoadedModel>(LoadedModel{std::move(checkpoint), nullptr, nullptr, nullptr});
  if (options.need_tokenizer) {
    GOS_TRY(loaded->tokenizer, loaded->checkpoint.load_tokenizer());
  }
  loaded->threads = std::make_unique<ThreadPool>(options.num_threads);
  GOS_TRY(auto backend, kernels::make_backend(options.backend, *loaded->threads, options.precision));
  if (options.instrument) backend = options.instrument(std::move(backend));
  loaded->model = std::make_unique<Model>(loaded->checkpoint, std::move(backend));
  const uint64_t packed_bytes = options.pack_weights ? loaded->model->packed_bytes() : 0;
  const bool has_room = packed_bytes + kLeftFreeBytes <= free_memory_bytes();
  if (packed_bytes == 0 || !has_room || !loaded->model->pack(progress).ok())
    prefetch(loaded->checkpoint.files(), progress);
  return loaded;
}

}  // namespace gossamer
