#pragma once

#include "base/thread_pool.h"

namespace gossamer::bench {

/// Bytes a second at which all threads together read memory that no cache holds: the roof of decode. Best of `repeats`
/// passes over `size_bytes`.
double read_bandwidth(ThreadPool& threads, uint64_t size_bytes, int repeats);

}  // namespace gossamer::bench
