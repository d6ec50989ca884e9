#include "bench/memory_bandwidth.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <numeric>

namespace gossamer::bench {
namespace {

/// Sums of 8 streams side by side, 8 bytes a step: enough loads in flight for one core.
uint64_t read_all(const uint64_t* words, uint64_t count) {
  uint64_t sums[8] = {};
  const uint64_t lane = count / 8;
  for (uint64_t i = 0; i < lane; ++i)
    for (uint64_t s = 0; s < 8; ++s) sums[s] += words[s * lane + i];
  return std::accumulate(sums, sums + 8, uint64_t{0});
}

}  // namespace

double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats) {
  constexpr uint32_t kChunks = 256;
  const uint64_t chunk_bytes = size_bytes / kChunks / 64 * 64;
  void* memory = mmap(nullptr, chunk_bytes * kChunks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, chunk_bytes * kChunks, MADV_HUGEPAGE);
  auto* bytes = static_cast<char*>(memory);
  threads.parallel_for(kChunks, [&](uint32_t c, unsigned) { std::fill_n(bytes + c * chunk_bytes, chunk_bytes, 1); });
  double best = 0;
  std::atomic<uint64_t> keep{0};
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    threads.parallel_for(kChunks, [&](uint32_t c, unsigned) {
      keep += read_all(reinterpret_cast<uint64_t*>(bytes + c * chunk_bytes), chunk_bytes / 8);
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(chunk_bytes * kChunks) / seconds);
  }
  munmap(memory, chunk_bytes * kChunks);
  return best;
}

}  // namespace gossamer::bench
