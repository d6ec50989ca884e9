#pragma once
/// What kernels/cuda/device_hopper.h declares, in plain C++. Everything that a GPU does beside the threads takes as
/// long as it may: sums of a warpgroup's product are NaN until they are waited for, and NaN for ever where an operand
/// changed meanwhile; stores for the tensor cores are nowhere until they are fenced. Rules that only a compiler of PTX
/// would notice end the process: a left operand or sums that no fence has handed over since they were written.

#include "support/emulated_device.h"

namespace gossamer::emulated {

/// Shared memory begins at an address that is a multiple of 16 and of nothing more.
uint32_t shared_address(const void* shared);

void fence_operand(const uint32_t* a);
void fence_sums(const float* d);

struct WarpgroupProduct {
  float* d;  // [tokens / 2]
  const uint32_t* a;
  uint64_t b;
  uint32_t tokens;
  bool adds, is_bf16;
};
void begin_product(const WarpgroupProduct& product);
void commit_products();
void wait_for_products();

void store_late(void* to, uint32_t value);
void fence_stores();

void look_at(const void* from, uint32_t bytes);

void init_mbarrier(uint64_t* barrier, uint32_t arrivals);
void arrive(uint64_t* barrier);
void wait_for_phase(uint64_t* barrier, uint32_t parity);

}  // namespace gossamer::emulated

namespace gossamer::kernels::cuda {

inline uint32_t shared_address(const void* shared) {
  return emulated::shared_address(shared);
}

template <uint32_t kSums, uint32_t kFragments>
void wgmma_fence(float (&d)[kSums], uint32_t (&a)[kFragments][4]) {
  emulated::fence_sums(d);
  for (uint32_t i = 0; i < kFragments; ++i) emulated::fence_operand(a[i]);
}
template <bool kAdd, bool kBf16, uint32_t kSums>
void wgmma(float (&d)[kSums], const uint32_t (&a)[4], uint64_t b) {
  emulated::begin_product({d, a, b, 2 * kSums, kAdd, kBf16});
}
inline void wgmma_commit() {
  emulated::commit_products();
}
template <uint32_t kSums>
void wgmma_wait(float (& /*d*/)[kSums]) {
  emulated::wait_for_products();
}

inline void store_for_wgmma(void* shared, uint32_t value) {
  emulated::store_late(shared, value);
}
inline void fence_stores() {
  emulated::fence_stores();
}

inline void mbarrier_init(uint64_t* barrier, uint32_t arrivals) {
  emulated::init_mbarrier(barrier, arrivals);
}
inline void mbarrier_arrive(uint64_t* barrier) {
  emulated::arrive(barrier);
}
inline void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
  emulated::wait_for_phase(barrier, parity);
}

/// Reads it, so that the address sanitizer sees who asks for more than there is.
inline void bring_to_l2(const void* from, uint32_t bytes) {
  emulated::look_at(from, bytes);
}

template <uint32_t kRegisters>
void give_registers_down_to() {
  emulated::show_warpgroup(nullptr, 0, "setmaxnreg.dec");
}
template <uint32_t kRegisters>
void take_registers_up_to() {
  emulated::show_warpgroup(nullptr, 0, "setmaxnreg.inc");
}

}  // namespace gossamer::kernels::cuda
