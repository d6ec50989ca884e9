#include "kernels/cuda/device_facts.h"

#include <cuda_runtime.h>

namespace gossamer::kernels::cuda {

Result<DeviceFacts> facts_of(int device_index) {
  DeviceFacts facts;
  const auto attribute = [&](cudaDeviceAttr which) -> Result<int> {
    int value = 0;
    const cudaError_t error = cudaDeviceGetAttribute(&value, which, device_index);
    if (error != cudaSuccess)
      return make_error(ErrorCode::kIo, "GPU {} cannot tell what it is: {}", device_index, cudaGetErrorString(error));
    return value;
  };
  GOS_TRY(const int clock_khz, attribute(cudaDevAttrClockRate));
  GOS_TRY(const int memory_clock_khz, attribute(cudaDevAttrMemoryClockRate));
  GOS_TRY(const int bus_bits, attribute(cudaDevAttrGlobalMemoryBusWidth));
  GOS_TRY(const int l2_bytes, attribute(cudaDevAttrL2CacheSize));
  facts.clock_hz = 1e3 * clock_khz;
  facts.memory_clock_hz = 1e3 * memory_clock_khz;
  facts.memory_bus_bits = static_cast<uint32_t>(bus_bits);
  facts.l2_bytes = static_cast<uint64_t>(l2_bytes);
  cudaDriverGetVersion(&facts.driver);
  cudaRuntimeGetVersion(&facts.runtime);
  return facts;
}

}  // namespace gossamer::kernels::cuda
