#pragma once

#include <cstdint>

#include "base/result.h"

namespace gossamer::sandbox {

struct ResourceLimits {
  uint64_t memory_bytes = 512 << 20;  ///< of address space
  uint64_t file_bytes = 64 << 20;     ///< of all files together
  uint64_t threads = 32;
  uint64_t cpu_seconds = 60;
};

/// Sets them for this process, for good; the least of a processor's time is its own, and memory that runs out runs out
/// here first. Errors: the system refuses.
Status set_limits(const ResourceLimits& limits);

}  // namespace gossamer::sandbox
