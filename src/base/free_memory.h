#pragma once

#include <cstdint>

namespace gossamer {

/// Bytes that the system could give without swapping; 0 where it does not say.
uint64_t free_memory_bytes();

}  // namespace gossamer
