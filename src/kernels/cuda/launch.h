#pragma once
/// How host code of this folder starts a kernel, on a GPU or emulated.

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/device.h"
#include "kernels/cuda/launch_settings.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

#ifdef GOSSAMER_EMULATED_DEVICE

template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, uint32_t threads, size_t shared_bytes, Stream stream,
            const Args&... args) {
  emulated::start(stream, {grid, threads, shared_bytes, [=] { kernel(args...); }});
}
template <class... Params, class... Args>
void launch_when_all_have_ended(void (*kernel)(Params...), dim3 grid, uint32_t threads, Stream stream,
                                const Args&... args) {
  launch(kernel, grid, threads, 0, stream, args...);
}

#else

inline constexpr size_t kUnaskedSharedBytes = 48 << 10;

inline cudaLaunchConfig_t launch_config(dim3 grid, uint32_t threads, size_t shared_bytes, Stream stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return config;
}

/// Errors are found by the next synchronize(). Where launches overlap the kernel begins early, and waits itself:
/// wait_for_kernels_before() in device.h.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, uint32_t threads, size_t shared_bytes, Stream stream,
            const Args&... args) {
  if (shared_bytes > kUnaskedSharedBytes) allow_shared_bytes(reinterpret_cast<const void*>(kernel), shared_bytes);
  cudaLaunchConfig_t config = launch_config(grid, threads, shared_bytes, stream);
  cudaLaunchAttribute begins_early{};
  begins_early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  begins_early.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &begins_early;
  config.numAttrs = launches_overlap() ? 1 : 0;
  cudaLaunchKernelEx(&config, kernel, args...);
}
/// As launches are where they do not overlap: what that costs is measured by it.
template <class... Params, class... Args>
void launch_when_all_have_ended(void (*kernel)(Params...), dim3 grid, uint32_t threads, Stream stream,
                                const Args&... args) {
  const cudaLaunchConfig_t config = launch_config(grid, threads, 0, stream);
  cudaLaunchKernelEx(&config, kernel, args...);
}

#endif

}  // namespace gossamer::kernels::cuda
