#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"

namespace gossamer {

/// Bytes a second at which all threads together read memory that no cache holds: the roof of decode. Each is the best
/// of `repeats` passes.

/// Of private memory in huge pages, where the system gives them; 0 where it has not that much memory.
double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats);

/// Of the pages of a mapped file; a pass before those that count brings them into memory.
double read_bandwidth(ThreadPool& threads, std::span<const std::byte> mapped, int repeats);

}  // namespace gossamer
