#pragma once
/// Copies of any size by the copying engine of a processor (compute capability 9.0 and newer): one thread asks for
/// kilobytes, and everybody waits for their arrival. An Arrival lies in shared memory and is used again and again; its
/// phase is 0 the first time, then 1, then 0.

#include "kernels/cuda/device.h"

#ifdef GOSSAMER_EMULATED_DEVICE
namespace gossamer::emulated {
void begin_bulk_copy(void* to, const void* from, uint32_t bytes, uint64_t* arrival);
void wait_for_bulk_copy(uint64_t* arrival, uint32_t phase);
}  // namespace gossamer::emulated
#endif

namespace gossamer::kernels::cuda {

using Arrival = uint64_t;

#ifdef GOSSAMER_EMULATED_DEVICE

/// Bytes arrive when somebody waits for them, and whoever waits for what was never asked for ends the process.
inline void prepare_arrival(Arrival* arrival) {
  *arrival = 0;
}
inline void copy_bulk(void* shared, const void* global, uint32_t bytes, Arrival* arrival) {
  emulated::begin_bulk_copy(shared, global, bytes, arrival);
}
inline void wait_for_arrival(Arrival* arrival, uint32_t phase) {
  emulated::wait_for_bulk_copy(arrival, phase);
}

#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

/// By one thread, before a barrier of the block.
__device__ __forceinline__ void prepare_arrival(Arrival* arrival) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(arrival));
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address) : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/// By one thread: `bytes` is a multiple of 16, and so are both addresses. Whoever read what was there before is behind
/// a barrier.
__device__ __forceinline__ void copy_bulk(void* shared, const void* global, uint32_t bytes, Arrival* arrival) {
  const auto to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(arrival));
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address), "r"(bytes) : "memory");
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(global), "r"(bytes), "r"(address)
               : "memory");
}
__device__ __forceinline__ void wait_for_arrival(Arrival* arrival, uint32_t phase) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(arrival));
  uint32_t there = 0;
  while (there == 0)
    asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
                 : "=r"(there)
                 : "r"(address), "r"(phase)
                 : "memory");
}

#else

// Older cards have no such engine, and the host does not start what asks for it.
__device__ __forceinline__ void prepare_arrival(Arrival*) {}
__device__ __forceinline__ void copy_bulk(void*, const void*, uint32_t, Arrival*) {}
__device__ __forceinline__ void wait_for_arrival(Arrival*, uint32_t) {}

#endif

}  // namespace gossamer::kernels::cuda
