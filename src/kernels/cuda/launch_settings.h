#pragma once
/// What the driver is asked once, and not at every launch.

#include <cstddef>

namespace gossamer::kernels::cuda {

/// Lets blocks of a kernel have so much shared memory; the driver is told once for each kernel. On any thread.
void allow_shared_bytes(const void* kernel, size_t bytes);
/// Whether the device in use lets kernels begin before those in front of them have ended (compute capability 9.0).
bool launches_overlap();

}  // namespace gossamer::kernels::cuda
