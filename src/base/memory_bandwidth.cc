#include "base/memory_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "base/big_memory.h"

namespace gossamer {
namespace {

constexpr uint32_t kChunks = 256;
constexpr uint64_t kMostTestBytes = 2ull << 30, kLeastTestBytes = 256ull << 20;

/// Sums of 8 streams side by side, 8 bytes a step: enough loads in flight for one core.
uint64_t read_all(const std::byte* bytes, uint64_t size_bytes) {
  uint64_t sums[8] = {};
  const uint64_t lane_bytes = size_bytes / 64 * 8;
  for (uint64_t at = 0; at < lane_bytes; at += 8)
    for (uint64_t s = 0; s < 8; ++s) {
      uint64_t word;
      std::memcpy(&word, bytes + s * lane_bytes + at, sizeof word);
      sums[s] += word;
    }
  return std::accumulate(sums, sums + 8, uint64_t{0});
}

/// Bytes a second of one pass.
double read_once(ThreadPool& threads, std::span<const std::byte> bytes) {
  const uint64_t chunk_bytes = bytes.size() / kChunks / 64 * 64;
  std::atomic<uint64_t> keep{0};
  const auto start = std::chrono::steady_clock::now();
  threads.parallel_for(
      kChunks, [&](uint32_t chunk, unsigned) { keep += read_all(bytes.data() + chunk * chunk_bytes, chunk_bytes); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return static_cast<double>(chunk_bytes * kChunks) / std::max(seconds, 1e-9);
}

/// What is in `folder`; nothing where that is none.
std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(at->path());
  return paths;
}

/// One cache, as a folder cpuN/cache/indexM of sysfs describes it.
struct Cache {
  uint32_t level = 0;
  uint64_t size_bytes = 0;
  std::string cpus;  ///< that share it: "0-3,8"
};

/// What `folder` describes; level 0 where that is no cache of data.
Cache read_cache(const std::filesystem::path& folder) {
  Cache cache;
  std::string type;
  uint64_t kilobytes = 0;
  std::ifstream(folder / "type") >> type;
  std::ifstream(folder / "size") >> kilobytes;  // "32768K"
  std::ifstream(folder / "shared_cpu_list") >> cache.cpus;
  if (type != "Instruction") std::ifstream(folder / "level") >> cache.level;
  cache.size_bytes = kilobytes * 1024;
  return cache;
}

/// The cache of the highest level below `cpu`.
Cache last_cache_of(const std::filesystem::path& cpu) {
  Cache last;
  for (const std::filesystem::path& folder : entries(cpu / "cache"))
    if (Cache cache = read_cache(folder); cache.level > last.level) last = std::move(cache);
  return last;
}

}  // namespace

uint64_t bandwidth_test_bytes(uint64_t free_bytes) {
  const uint64_t bytes = std::min(kMostTestBytes, free_bytes / 2);
  return bytes < kLeastTestBytes ? 0 : bytes;
}

uint64_t last_cache_bytes(const std::filesystem::path& root) {
  std::map<std::string, uint64_t> by_cpus;  // several processors describe one cache
  for (const std::filesystem::path& cpu : entries(root / "sys/devices/system/cpu"))
    if (const Cache cache = last_cache_of(cpu); cache.level > 0) by_cpus[cache.cpus] = cache.size_bytes;
  uint64_t bytes = 0;
  for (const auto& [cpus, size_bytes] : by_cpus) bytes += size_bytes;
  return bytes;
}

double read_bandwidth(ThreadPool& threads, std::span<const std::byte> mapped, int repeats) {
  read_once(threads, mapped);
  double best = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) best = std::max(best, read_once(threads, mapped));
  return best;
}

double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats) {
  if (size_bytes == 0) return 0;
  const auto memory = BigMemory::allocate(size_bytes, "measuring memory");
  if (!memory.ok()) return 0;
  const uint64_t chunk_bytes = size_bytes / kChunks;
  threads.parallel_for(kChunks, [&](uint32_t chunk, unsigned) {
    std::memset(memory->data() + chunk * chunk_bytes, 1, chunk_bytes);  // pages of zeros need not be memory
  });
  return read_bandwidth(threads, {memory->data(), size_bytes}, repeats);
}

}  // namespace gossamer
