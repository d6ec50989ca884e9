#pragma once
/// How host code of this folder starts a kernel, on a GPU or emulated.

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/device.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

#ifdef GOSSAMER_EMULATED_DEVICE

template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, uint32_t threads, size_t shared_bytes, Stream /*stream*/,
            const Args&... args) {
  emulated::run(grid, threads, shared_bytes, [&] { kernel(args...); });
}

#else

inline constexpr size_t kUnaskedSharedBytes = 48 << 10;

/// Errors are found by the next synchronize().
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, uint32_t threads, size_t shared_bytes, Stream stream,
            const Args&... args) {
  if (shared_bytes > kUnaskedSharedBytes)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  cudaLaunchKernelEx(&config, kernel, args...);
}

#endif

}  // namespace gossamer::kernels::cuda
