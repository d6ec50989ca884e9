#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/thread_pool.h"

namespace gossamer {

/// Bytes a second at which all threads together read memory that no cache holds: the roof of decode. Each is the best
/// of `repeats` passes.

/// Of private memory in huge pages, where the system gives them; 0 where it has not that much memory, or `size_bytes`
/// is 0.
double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats);

/// Of the pages of a mapped file; a pass before those that count brings them into memory.
double read_bandwidth(ThreadPool& threads, std::span<const std::byte> mapped, int repeats);

/// How much private memory to read for that where `free_bytes` are free: 2 GiB, which no cache holds, but no more than
/// half of what is free, for all of it is written; 0 where that is too little to be told from caches.
uint64_t bandwidth_test_bytes(uint64_t free_bytes);

/// Bytes of the processors' last caches together; 0 where the system does not say. `root` is where sys is mounted.
uint64_t last_cache_bytes(const std::filesystem::path& root = "/");

}  // namespace gossamer
