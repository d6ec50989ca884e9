#include "engine/loaded_model.h"

#include <algorithm>

#include "base/cpu_topology.h"
#include "base/file_lock.h"
#include "base/free_memory.h"
#include "model/packed_cache.h"

namespace gossamer {
namespace {

constexpr uint64_t kPrefetchMinBytes = 256ull << 20;  // smaller files fault in faster than a bar is drawn
constexpr uint64_t kPrefetchChunkBytes = 64ull << 20;
constexpr uint64_t kLeftFreeBytes = 1ull << 30;  // after a copy of the weights, for cache and activations
constexpr char kWaitingStage[] = "another process makes the copy of the weights; seconds waited:";

/// Brings the files of a large model into memory in the order of the disk, so that the first answer does not pay for
/// page faults one by one. Only advice: where it fails or memory is short, pages come in when they are touched.
void prefetch(const std::vector<MmapFile>& files, const ProgressFn& progress) {
  uint64_t total = 0, done = 0;
  for (const MmapFile& file : files) total += file.size_bytes();
  if (total < kPrefetchMinBytes || total > free_memory_bytes()) return;
  for (const MmapFile& file : files) {
    for (uint64_t offset = 0; offset < file.size_bytes(); offset += kPrefetchChunkBytes) {
      const uint64_t length = std::min(kPrefetchChunkBytes, file.size_bytes() - offset);
      CpuTopology::of_this_machine().take_memory_by_turns([&] { read_ahead(file.bytes().subspan(offset, length)); });
      done += length;
      if (progress) progress("loading", done, total);
    }
  }
}

/// Waits while another process makes the file at `path`: one copy is enough of what is as large as the model.
Result<FileLock> wait_to_make(const std::string& path, const ProgressFn& progress) {
  return FileLock::take(path + ".lock", [&](std::chrono::seconds waited) {
    if (progress) progress(kWaitingStage, static_cast<uint64_t>(waited.count()), 0);
  });
}

/// The copy in the backend's own order from a file, which is made where it is not there. Errors: it cannot be.
Status use_packed_cache(LoadedModel& loaded, uint64_t packed_bytes, const ProgressFn& progress) {
  const PackedCacheKey key{loaded.model->packed_layout_id(), loaded.checkpoint.path(), source_digest(loaded.checkpoint),
                           packed_bytes};
  const std::string path = packed_cache_path(key);
  if (path.empty())
    return make_error(ErrorCode::kInvalidInput,
                      "there is no folder to keep packed weights in: set GOSSAMER_HOME, XDG_CACHE_HOME or HOME");
  const auto use_what_is_there = [&] {
    std::shared_ptr<const std::byte> weights = open_packed_cache(path, key, *loaded.threads, progress);
    if (weights) loaded.model->use_packed(weights);
    return weights != nullptr;
  };
  if (use_what_is_there()) return {};
  GOS_TRY(const FileLock making, wait_to_make(path, progress));
  if (use_what_is_there()) return {};  // another process has made it meanwhile
  GOS_TRY(NewPackedCache cache, NewPackedCache::create(path, key));
  loaded.model->pack_to(cache.weights(), progress);
  return cache.finish(*loaded.threads);
}

/// Why int8 was asked for in vain: it takes effect in the copy.
Error cannot_round_dense(const Model& model, const LoadOptions& options, uint64_t packed_bytes) {
  if (!options.pack_weights)
    return make_error(ErrorCode::kInvalidInput,
                      "dense matrices in int8 are a copy of those of the file, and that is "
                      "not to be made; leave out --no-repack or --dense-dtype");
  if (packed_bytes == 0)
    return make_error(ErrorCode::kInvalidInput,
                      "backend {} computes in {} with the weights of the file, so dense matrices cannot be int8; leave "
                      "out --dense-dtype, or --precision and --backend",
                      model.backend().name(), kernels::precision_name(options.precision));
  return make_error(ErrorCode::kIo, "the copy of the weights with int8 takes {:.1f} GB, and {:.1f} GB are free",
                    static_cast<double>(packed_bytes) / 1e9, static_cast<double>(free_memory_bytes()) / 1e9);
}

/// Weights in the order that the backend likes best, or in memory as they lie in the file.
Status arrange_weights(LoadedModel& loaded, const LoadOptions& options, const ProgressFn& progress) {
  const uint64_t packed_bytes = options.pack_weights ? loaded.model->packed_bytes() : 0;
  if (packed_bytes > 0 && options.keep_packed) return use_packed_cache(loaded, packed_bytes, progress);
  const bool has_room = packed_bytes + kLeftFreeBytes <= free_memory_bytes();
  if (packed_bytes > 0 && has_room && loaded.model->pack(progress).ok()) return {};
  if (options.dense_dtype == DenseDtype::kInt8) return cannot_round_dense(*loaded.model, options, packed_bytes);
  prefetch(loaded.checkpoint.files(), progress);
  return {};
}

/// How the model is put on a GPU, and what becomes of experts that it has no room for.
DeviceLimits device_limits(const LoadedModel& loaded, const LoadOptions& options) {
  DeviceLimits limits;
  limits.host_backend = loaded.model->backend().name();
  limits.pack_host_experts = options.pack_weights;
  limits.sums = options.device_sums;
  limits.use = expert_use_file(loaded.checkpoint.path(), source_digest(loaded.checkpoint));
  return limits;
}

/// What a GPU that was asked for would compute otherwise than the options say.
Status check_device_takes(const LoadOptions& options) {
  if (options.precision == kernels::Precision::kF32)
    return make_error(ErrorCode::kInvalidInput,
                      "a GPU rounds activations to 16 bits, so it cannot compute in f32; leave out --precision f32, or "
                      "compute with --device cpu");
  if (options.dense_dtype == DenseDtype::kInt8)
    return make_error(ErrorCode::kInvalidInput,
                      "a GPU takes dense matrices as they are in the file, not rounded to int8; leave out "
                      "--dense-dtype, or compute with --device cpu");
  return {};
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const std::string& path, const LoadOptions& options,
                                                       const ProgressFn& progress) {
  GOS_TRY(Checkpoint checkpoint, Checkpoint::open(path, progress));
  auto loaded = std::make_unique<LoadedModel>(LoadedModel{std::move(checkpoint), nullptr, nullptr, nullptr, {}, {}});
  if (options.need_tokenizer) {
    GOS_TRY(loaded->tokenizer, loaded->checkpoint.load_tokenizer());
  }
  GOS_TRY(loaded->threads, ThreadPool::create(options.num_threads));
  GOS_TRY(auto backend, kernels::make_backend(options.backend, *loaded->threads, options.precision));
  if (options.instrument) backend = options.instrument(std::move(backend));
  loaded->model = std::make_unique<Model>(loaded->checkpoint, std::move(backend), options.dense_dtype);
  const bool wants_device = options.device.kind == DeviceChoice::Kind::kCuda;
  if (wants_device) GOS_TRY_STATUS(check_device_takes(options));
  if (wants_device || (options.device.kind == DeviceChoice::Kind::kAuto && has_device_kernels())) {
    Result<std::string> device = move_to_device(*loaded->model, options.device.index, options.device_budget,
                                                *loaded->threads, progress, device_limits(*loaded, options));
    if (device.ok()) {
      loaded->device = std::move(*device);
      return loaded;
    }
    if (wants_device) return device.error();
    loaded->why_no_device = device.error().message;
  }
  GOS_TRY_STATUS(arrange_weights(*loaded, options, progress));
  return loaded;
}

std::vector<TokenId> LoadedModel::stop_tokens() const {
  std::vector<TokenId> stops = checkpoint.generation().eos_ids;
  if (tokenizer) {
    for (std::string_view name : {"<|return|>", "<|call|>", "<|endoftext|>"}) {
      const std::optional<TokenId> id = tokenizer->special(name);
      if (id && std::find(stops.begin(), stops.end(), *id) == stops.end()) stops.push_back(*id);
    }
  }
  return stops;
}

}  // namespace gossamer
