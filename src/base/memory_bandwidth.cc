#include "base/memory_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include "base/big_memory.h"

namespace gossamer {
namespace {

constexpr uint32_t kChunks = 256;

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

}  // namespace

double read_bandwidth(ThreadPool& threads, std::span<const std::byte> mapped, int repeats) {
  read_once(threads, mapped);
  double best = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) best = std::max(best, read_once(threads, mapped));
  return best;
}

double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats) {
  const auto memory = BigMemory::allocate(size_bytes, "measuring memory");
  if (!memory.ok()) return 0;
  const uint64_t chunk_bytes = size_bytes / kChunks;
  threads.parallel_for(kChunks, [&](uint32_t chunk, unsigned) {
    std::memset(memory->data() + chunk * chunk_bytes, 1, chunk_bytes);  // pages of zeros need not be memory
  });
  return read_bandwidth(threads, {memory->data(), size_bytes}, repeats);
}

}  // namespace gossamer
