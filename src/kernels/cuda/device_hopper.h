#pragma once
/// What Hopper has beyond device.h, for kernels that are compiled for sm_90a alone: products by a warpgroup (four
/// warps, the first one's index a multiple of 4), barriers in shared memory, registers that go from one warpgroup to
/// another. tests/support/emulated_hopper.h has the same in plain loops, where everything that a GPU does beside the
/// threads arrives as late as it may.
///
/// A warpgroup's product: d [64 rows, tokens] += a [64 rows, 16] * b [tokens, 16]^T. Rows 16 w .. 16 w + 15 are warp
/// w's, which holds them as mma.m16n8k16's left operand in registers, and its sums as that instruction's sums of 8
/// tokens after each other. The right operand is in shared memory: rows of 128 bytes (64 columns), their 16-byte chunks
/// where swizzled_chunk() says.

#include "kernels/cuda/device.h"

#if defined(GOSSAMER_EMULATED_DEVICE) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define GOSSAMER_HAS_WARPGROUPS 1  // elsewhere such a kernel is empty, and nobody starts it
#endif

namespace gossamer::kernels::cuda {

/// Where chunk `chunk` (0 .. 7) of row `row` is among the chunks of its 128 bytes: so that neither those who write rows
/// nor the tensor cores that read columns of them wait for a bank. What the tensor cores do is an exclusive or of
/// address bits 4 .. 6 with bits 7 .. 9, so shared memory of such rows begins at a multiple of kSwizzleBytes.
constexpr uint32_t swizzled_chunk(uint32_t row, uint32_t chunk) {
  return chunk ^ (row % 8);
}
inline constexpr uint32_t kSwizzleBytes = 1024;

/// The right operand of a product as the instruction wants it named: 16 columns whose first of row 0 is at that address
/// of shared memory, of rows that begin at a multiple of kSwizzleBytes.
constexpr uint64_t wgmma_operand_at(uint32_t address) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kEightRows = uint64_t{kSwizzleBytes / 16} << 32;  // from eight rows to the next eight
  constexpr uint64_t kUnused = uint64_t{1} << 16;                      // without meaning in this swizzle
  return kSwizzle128 | kEightRows | kUnused | (address & 0x3ffff) >> 4;
}
/// The same `bytes` (a multiple of 16) further on.
constexpr uint64_t wgmma_operand_behind(uint64_t operand, uint32_t bytes) {
  return operand + bytes / 16;
}

}  // namespace gossamer::kernels::cuda

#ifdef GOSSAMER_EMULATED_DEVICE
#include GOSSAMER_EMULATED_HOPPER
#else

namespace gossamer::kernels::cuda {

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// Nothing that concerns these registers moves over this point; no instruction.
template <uint32_t kCount>
__device__ __forceinline__ void hold(float (&registers)[kCount]) {
#pragma unroll
  for (uint32_t i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}
template <uint32_t kCount>
__device__ __forceinline__ void hold(uint32_t (&registers)[kCount]) {
#pragma unroll
  for (uint32_t i = 0; i < kCount; ++i) asm volatile("" : "+r"(registers[i])::"memory");
}

/// Before products: what was written to sums and left operands is theirs from now on, until the wait.
template <uint32_t kSums, uint32_t kFragments>
__device__ __forceinline__ void wgmma_fence(float (&d)[kSums], uint32_t (&a)[kFragments][4]) {
  hold(d);
#pragma unroll
  for (uint32_t i = 0; i < kFragments; ++i) hold(a[i]);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
/// The products since the last one are a group.
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits for all groups: the sums are there, and operands may be written.
template <uint32_t kSums>
__device__ __forceinline__ void wgmma_wait(float (&d)[kSums]) {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  hold(d);
}

#define GOSSAMER_OUT_32                                                    \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define GOSSAMER_OUT_64                                                              \
  GOSSAMER_OUT_32                                                                    \
  ", "                                                                               \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define GOSSAMER_OUT_128                                                                         \
  GOSSAMER_OUT_64                                                                                \
  ", "                                                                                           \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define GOSSAMER_SUMS_8(i)                                                                                    \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define GOSSAMER_SUMS_32(i) GOSSAMER_SUMS_8(i), GOSSAMER_SUMS_8(i + 8), GOSSAMER_SUMS_8(i + 16), GOSSAMER_SUMS_8(i + 24)
#define GOSSAMER_SUMS_64(i) GOSSAMER_SUMS_32(i), GOSSAMER_SUMS_32(i + 32)
#define GOSSAMER_SUMS_128(i) GOSSAMER_SUMS_64(i), GOSSAMER_SUMS_64(i + 64)
#define GOSSAMER_WGMMA(tokens, type, out, sums, left, right, adds)                                          \
  asm volatile("{.reg .pred adds; setp.ne.b32 adds, " adds ", 0; wgmma.mma_async.sync.aligned.m64n" #tokens \
               "k16.f32." type "." type " {" out "}, {" left "}, " right ", adds, 1, 1, 0;}"                \
               : sums                                                                                       \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kAdd ? 1 : 0))

/// d = or += a * b by the warpgroup, beside its threads. The sums, the left operand and the shared memory of the right
/// one belong to it until wgmma_wait().
template <bool kAdd, bool kBf16, uint32_t kSums>
__device__ __forceinline__ void wgmma(float (&d)[kSums], const uint32_t (&a)[4], uint64_t b) {
  static_assert(kSums == 32 || kSums == 64 || kSums == 128);
  if constexpr (kSums == 32 && kBf16)
    GOSSAMER_WGMMA(64, "bf16", GOSSAMER_OUT_32, GOSSAMER_SUMS_32(0), "%32, %33, %34, %35", "%36", "%37");
  else if constexpr (kSums == 32 && !kBf16)
    GOSSAMER_WGMMA(64, "f16", GOSSAMER_OUT_32, GOSSAMER_SUMS_32(0), "%32, %33, %34, %35", "%36", "%37");
  else if constexpr (kSums == 64 && kBf16)
    GOSSAMER_WGMMA(128, "bf16", GOSSAMER_OUT_64, GOSSAMER_SUMS_64(0), "%64, %65, %66, %67", "%68", "%69");
  else if constexpr (kSums == 64 && !kBf16)
    GOSSAMER_WGMMA(128, "f16", GOSSAMER_OUT_64, GOSSAMER_SUMS_64(0), "%64, %65, %66, %67", "%68", "%69");
  else if constexpr (kSums == 128 && kBf16)
    GOSSAMER_WGMMA(256, "bf16", GOSSAMER_OUT_128, GOSSAMER_SUMS_128(0), "%128, %129, %130, %131", "%132", "%133");
  else if constexpr (kSums == 128 && !kBf16)
    GOSSAMER_WGMMA(256, "f16", GOSSAMER_OUT_128, GOSSAMER_SUMS_128(0), "%128, %129, %130, %131", "%132", "%133");
}
#undef GOSSAMER_WGMMA
#undef GOSSAMER_SUMS_128
#undef GOSSAMER_SUMS_64
#undef GOSSAMER_SUMS_32
#undef GOSSAMER_SUMS_8
#undef GOSSAMER_OUT_128
#undef GOSSAMER_OUT_64
#undef GOSSAMER_OUT_32

/// A store to what the tensor cores will read. They see it after the thread's own fence_stores() and a barrier.
__device__ __forceinline__ void store_for_wgmma(void* shared, uint32_t value) {
  *static_cast<uint32_t*>(shared) = value;
}
__device__ __forceinline__ void fence_stores() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// A barrier in shared memory: a phase ends when `arrivals` have come, and the next begins. One thread makes it, and
/// all meet at block_barrier() before they use it.
__device__ __forceinline__ void mbarrier_init(uint64_t* barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}
__device__ __forceinline__ void mbarrier_arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
/// Waits until the phase of that parity (0 for the first) has ended. Of a barrier in its first phase that of parity 1
/// has.
__device__ __forceinline__ void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile("{.reg .pred done; mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2; selp.u32 %0, 1, 0, done;}"
                 : "=r"(done)
                 : "r"(shared_address(barrier)), "r"(parity)
                 : "memory");
  } while (!done);
}

/// Asks for memory that will be read soon: `bytes` (a multiple of 16) from an address that is a multiple of 16 come to
/// the second cache. One thread asks for all of them.
__device__ __forceinline__ void bring_to_l2(const void* from, uint32_t bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes));
}

/// Registers of a thread of this warpgroup from now on: a multiple of 8. What some give others take; all that a block
/// takes together is no more than what it was started with.
template <uint32_t kRegisters>
__device__ __forceinline__ void give_registers_down_to() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <uint32_t kRegisters>
__device__ __forceinline__ void take_registers_up_to() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace gossamer::kernels::cuda

#endif
