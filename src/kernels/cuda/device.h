#pragma once
/// What the kernels of this folder are written against: the CUDA language and the functions below. nvcc makes one
/// instruction or two of each; tests/support/emulated_device.h has the same names as plain loops, so that every kernel
/// is run, and compared with kernels/ref, where there is no GPU. Only instructions of the SM80 class are here: they
/// run on every card from Ampere on.

#ifdef GOSSAMER_EMULATED_DEVICE
#include GOSSAMER_EMULATED_DEVICE
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>

namespace gossamer::kernels::cuda {

/// The block's dynamic shared memory, aligned to 16.
__device__ __forceinline__ void* shared_memory() {
  extern __shared__ uint4 gossamer_shared[];
  return gossamer_shared;
}
__device__ __forceinline__ void block_barrier() {
  __syncthreads();
}
__device__ __forceinline__ void warp_barrier() {
  __syncwarp();
}

/// The value of another lane of the warp. All 32 lanes call these together.
template <class T>
__device__ __forceinline__ T shuffle(T value, uint32_t lane) {
  return __shfl_sync(0xffffffffu, value, static_cast<int>(lane));
}
template <class T>
__device__ __forceinline__ T shuffle_xor(T value, uint32_t mask) {
  return __shfl_xor_sync(0xffffffffu, value, static_cast<int>(mask));
}
/// Bit l: lane l's vote.
__device__ __forceinline__ uint32_t warp_ballot(bool vote) {
  return __ballot_sync(0xffffffffu, vote);
}
__device__ __forceinline__ uint32_t count_bits(uint32_t bits) {
  return static_cast<uint32_t>(__popc(bits));
}

/// Two numbers in a register, rounded to nearest even; `low` in the lower half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ __forceinline__ uint32_t pack_f16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ __forceinline__ float bits_to_float(uint32_t bits) {
  return __uint_as_float(bits);
}
__device__ __forceinline__ uint32_t float_to_bits(float value) {
  return __float_as_uint(value);
}
__device__ __forceinline__ float low_bf16(uint32_t pair) {
  return bits_to_float(pair << 16);
}
__device__ __forceinline__ float high_bf16(uint32_t pair) {
  return bits_to_float(pair & 0xffff0000u);
}
__device__ __forceinline__ float low_f16(uint32_t pair) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(pair)));
}
__device__ __forceinline__ float high_f16(uint32_t pair) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(pair >> 16)));
}
/// a - b, halves in pairs.
__device__ __forceinline__ uint32_t subtract_f16(uint32_t a, uint32_t b) {
  uint32_t out;
  asm("sub.f16x2 %0, %1, %2;" : "=r"(out) : "r"(a), "r"(b));
  return out;
}
/// a * b, halves in pairs; subnormal ones count.
__device__ __forceinline__ uint32_t multiply_f16(uint32_t a, uint32_t b) {
  uint32_t out;
  asm("mul.f16x2 %0, %1, %2;" : "=r"(out) : "r"(a), "r"(b));
  return out;
}
/// Four of the bytes of b:a (a's are 0 to 3), as the nibbles of `which` say.
__device__ __forceinline__ uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t which) {
  return __byte_perm(a, b, which);
}

/// a - b, numbers of bf16 in pairs.
__device__ __forceinline__ uint32_t subtract_bf16(uint32_t a, uint32_t b) {
  uint32_t out;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(b), "r"(0xbf80bf80u), "r"(a));
  return out;
}
/// An 8 x 8 matrix of 16-bit numbers, of whose row g lane 4 g + q holds the pair 2 q, 2 q + 1, becomes its transpose.
__device__ __forceinline__ uint32_t transpose_8x8(uint32_t pair) {
  uint32_t out;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(out) : "r"(pair));
  return out;
}
/// a * b, rounded: no sum around it takes it in, which would round once less in one kernel than in another.
__device__ __forceinline__ float multiply_alone(float a, float b) {
  return __fmul_rn(a, b);
}

/// Two units in the last place or so from the exact value.
__device__ __forceinline__ float exp2_fast(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}
__device__ __forceinline__ float divide_fast(float a, float b) {
  return __fdividef(a, b);
}

/// Rounded once each, never one within the other: the bits of the same lines on the host.
__device__ __forceinline__ float add_exact(float a, float b) {
  return __fadd_rn(a, b);
}
__device__ __forceinline__ float multiply_exact(float a, float b) {
  return __fmul_rn(a, b);
}
__device__ __forceinline__ double add_exact(double a, double b) {
  return __dadd_rn(a, b);
}
__device__ __forceinline__ double multiply_exact(double a, double b) {
  return __dmul_rn(a, b);
}

/// d += a * b by one warp: a is 16x16, b 16x8, d 16x8; who holds what is in strips.h.
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/// d = a * b
__device__ __forceinline__ void mma_bf16_from_zero(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(0.f));
}
__device__ __forceinline__ void mma_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Weights pass through once and leave the caches to what is read again. Nothing that a kernel of the same step writes:
/// the load may be moved in front of wait_for_kernels_before().
__device__ __forceinline__ uint4 load_once(const uint4* at) {
  uint4 out;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
      : "=r"(out.x), "=r"(out.y), "=r"(out.z), "=r"(out.w)
      : "l"(at));
  return out;
}

/// Copies that run beside the thread, in groups: copy, copy, commit; wait until at most so many groups are left. Other
/// threads see what arrived after a barrier behind the wait.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <uint32_t kGroupsLeft>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
}

/// What this thread wrote, and what others of its block did before a barrier, is seen by whoever reads with
/// load_fresh() after an add_atomic() that came after this one's.
__device__ __forceinline__ void publish_stores() {
  __threadfence();
}
/// The host sees 1 there, and then all that this thread's block stored before a barrier in front of this.
__device__ __forceinline__ void raise_flag(uint32_t* flag) {
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(flag), "r"(1u) : "memory");
}
__device__ __forceinline__ float load_fresh(const float* at) {
  return __ldcg(at);
}

/// Launches overlap (launch.h): a kernel may begin while those before it still run. Every thread of every kernel calls
/// this once, on every path, before it reads or writes anything that another kernel writes or reads. What comes before
/// it may touch weights only. On cards before Hopper kernels begin one after the other, and it is nothing.
__device__ __forceinline__ void wait_for_kernels_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Once all blocks of this kernel have called it (or ended), the next one begins, up to its own wait. Behind the wait
/// of this kernel at most two kernels are under way. Before it the one after the next begins early too: only where
/// that loads weights, and what is between is small.
__device__ __forceinline__ void let_next_kernel_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
/// Asks for weights ahead of time: `bytes` (a multiple of 16) from an address that is a multiple of 16 come to the
/// second cache. One thread asks for all of them. Nothing before Hopper, where nothing is ahead of time.
__device__ __forceinline__ void prefetch_weights(const std::byte* from, uint32_t bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes));
#endif
}

/// What was there before.
__device__ __forceinline__ uint32_t add_atomic(uint32_t* at, uint32_t value) {
  return atomicAdd(at, value);
}
/// In two halves, a carry from one to the other: shared memory has no addition of 64 bits, and what the compiler makes
/// in its place tries until nobody was in between. The sum is whole when all have added, behind a barrier.
__device__ __forceinline__ void add_atomic(uint64_t* at, uint64_t value) {
  auto* halves = reinterpret_cast<uint32_t*>(at);
  const auto low = static_cast<uint32_t>(value);
  const uint32_t carry = atomicAdd(halves, low) + low < low;
  const uint32_t high = static_cast<uint32_t>(value >> 32) + carry;
  if (high > 0) atomicAdd(halves + 1, high);
}

}  // namespace gossamer::kernels::cuda

#endif
