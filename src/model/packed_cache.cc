#include "model/packed_cache.h"

#define XXH_INLINE_ALL
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/cpu_topology.h"

namespace gossamer {
namespace {

constexpr uint64_t kHeaderBytes = 4096;
constexpr uint64_t kCheckedBytes = 32ull << 20;
constexpr uint64_t kBeginningBytes = 1ull << 20;  // of a file, that its digest reads
constexpr uint64_t kSamples = 64, kSampleBytes = 4096;

uint64_t num_checksums(uint64_t size_bytes) {
  return (size_bytes + kCheckedBytes - 1) / kCheckedBytes;
}
uint64_t file_bytes(uint64_t size_bytes) {
  return kHeaderBytes + (size_bytes + 7) / 8 * 8 + num_checksums(size_bytes) * sizeof(uint64_t);
}
uint64_t checksum_offset(uint64_t size_bytes) {
  return file_bytes(size_bytes) - num_checksums(size_bytes) * sizeof(uint64_t);
}

/// The first page of the file, zeros behind the text.
std::array<char, kHeaderBytes> header_of(const PackedCacheKey& key) {
  std::array<char, kHeaderBytes> page{};
  const std::string text =
      fmt::format("gossamer packed weights 1\n{}\n{}\n{}\n", key.layout, key.source, key.size_bytes);
  std::memcpy(page.data(), text.data(), std::min<size_t>(text.size(), page.size()));
  return page;
}

uint64_t checksum(const std::byte* weights, uint64_t size_bytes, uint64_t part) {
  const uint64_t begin = part * kCheckedBytes;
  return XXH3_64bits(weights + begin, std::min(kCheckedBytes, size_bytes - begin));
}

void add_to_digest(XXH3_state_t* digest, const MmapFile& file) {
  struct stat info{};
  ::stat(file.path().c_str(), &info);
  const uint64_t facts[] = {file.size_bytes(),
                            static_cast<uint64_t>(info.st_mtim.tv_sec),
                            static_cast<uint64_t>(info.st_mtim.tv_nsec),
                            static_cast<uint64_t>(info.st_ctim.tv_sec),
                            static_cast<uint64_t>(info.st_ctim.tv_nsec),
                            static_cast<uint64_t>(info.st_ino)};
  XXH3_128bits_update(digest, facts, sizeof facts);
  const std::span<const std::byte> bytes = file.bytes();
  XXH3_128bits_update(digest, bytes.data(), std::min<uint64_t>(bytes.size(), kBeginningBytes));
  for (uint64_t sample = 1; sample <= kSamples && bytes.size() > kBeginningBytes; ++sample) {
    const uint64_t at = (bytes.size() - kSampleBytes) / kSamples * sample;
    XXH3_128bits_update(digest, bytes.data() + at, kSampleBytes);
  }
}

std::string hex(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string folder_from(const char* variable, const char* below) {
  const char* value = std::getenv(variable);
  return value && *value ? std::string(value) + below : "";
}

}  // namespace

std::string source_digest(const Checkpoint& checkpoint) {
  XXH3_state_t digest;
  XXH3_128bits_reset(&digest);
  for (const MmapFile& file : checkpoint.files()) add_to_digest(&digest, file);
  return hex(XXH3_128bits_digest(&digest));
}

std::string packed_cache_path(const PackedCacheKey& key) {
  std::string folder = folder_from("GOSSAMER_HOME", "/packed");
  if (folder.empty()) folder = folder_from("XDG_CACHE_HOME", "/gossamer/packed");
  if (folder.empty()) folder = folder_from("HOME", "/.cache/gossamer/packed");
  if (folder.empty()) return "";
  std::error_code failure;
  std::string model = std::filesystem::canonical(key.model_path, failure).string();
  if (failure) model = key.model_path;
  return fmt::format("{}/{}-{}", folder, hex(XXH3_128bits(model.data(), model.size())), key.layout);
}

std::shared_ptr<const std::byte> open_packed_cache(const std::string& path, const PackedCacheKey& key,
                                                   ThreadPool& threads, const ProgressFn& progress) {
  auto opened = MmapFile::open(path);
  if (!opened.ok() || opened->size_bytes() != file_bytes(key.size_bytes)) return nullptr;
  const auto file = std::make_shared<MmapFile>(*std::move(opened));
  const std::byte* begin = file->bytes().data();
  if (std::memcmp(begin, header_of(key).data(), kHeaderBytes) != 0) return nullptr;
  const std::byte* weights = begin + kHeaderBytes;
  const uint64_t parts = num_checksums(key.size_bytes);
  std::atomic<bool> intact = true;
  const uint64_t at_once = 4 * threads.num_threads();
  for (uint64_t first = 0; first < parts; first += at_once) {
    threads.parallel_for(static_cast<uint32_t>(std::min(at_once, parts - first)), [&](uint32_t chunk, unsigned) {
      const uint64_t part = first + chunk;
      uint64_t expected;
      std::memcpy(&expected, begin + checksum_offset(key.size_bytes) + part * sizeof expected, sizeof expected);
      CpuTopology::of_this_machine().take_memory_by_turns([&] {  // for what is read from the disk
        if (checksum(weights, key.size_bytes, part) != expected) intact = false;
      });
    });
    if (progress) progress("loading", std::min(parts, first + at_once), parts);
  }
  if (!intact) return nullptr;
  return {file, weights};
}

Result<NewPackedCache> NewPackedCache::create(const std::string& path, const PackedCacheKey& key) {
  GOS_TRY(NewFile file, NewFile::create(path, file_bytes(key.size_bytes)));
  return NewPackedCache(std::move(file), key);
}

std::shared_ptr<std::byte> NewPackedCache::weights() const {
  return {file_.mapping(), file_.data() + kHeaderBytes};
}

Status NewPackedCache::finish(ThreadPool& threads) {
  const std::byte* weights = file_.data() + kHeaderBytes;
  std::byte* checksums = file_.data() + checksum_offset(key_.size_bytes);
  threads.parallel_for(static_cast<uint32_t>(num_checksums(key_.size_bytes)), [&](uint32_t part, unsigned) {
    const uint64_t sum = checksum(weights, key_.size_bytes, part);
    std::memcpy(checksums + part * sizeof sum, &sum, sizeof sum);
  });
  std::memcpy(file_.data(), header_of(key_).data(), kHeaderBytes);
  return file_.commit();
}

}  // namespace gossamer
