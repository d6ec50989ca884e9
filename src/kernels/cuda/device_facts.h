#pragma once
/// What a report says of the card and its driver: cheap to ask for, and no figure is worth much without it.

#include "kernels/cuda/runtime.h"

namespace gossamer::kernels::cuda {

struct DeviceFacts {
  int driver = 0, runtime = 0;  ///< CUDA versions as the library counts: 13000 is 13.0
  double clock_hz = 0;          ///< of the multiprocessors, at most
  double memory_clock_hz = 0;   ///< at most
  uint32_t memory_bus_bits = 0;
  uint64_t l2_bytes = 0;

  /// What the memory could do by its data sheet: two transfers a clock. 0: the driver does not say.
  double memory_bytes_per_s() const { return 2 * memory_clock_hz * memory_bus_bits / 8; }
};

/// Errors: there is no such device.
Result<DeviceFacts> facts_of(int device_index);

}  // namespace gossamer::kernels::cuda
