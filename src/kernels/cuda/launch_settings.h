#pragma once
/// What the driver is asked once, and not at every launch.

#include <cstddef>

namespace gossamer::kernels::cuda {

/// One of the kernels, as the driver knows it: whether it has code for a device says whether all have.
const void* any_kernel();
/// Lets blocks of a kernel have so much shared memory; the driver is told once for each kernel. On any thread.
void allow_shared_bytes(const void* kernel, size_t bytes);
/// Whether the device in use lets kernels begin before those in front of them have ended, and its code waits for them
/// (compiled for compute capability 9.0 or more).
bool launches_overlap();

}  // namespace gossamer::kernels::cuda
