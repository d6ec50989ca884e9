#pragma once
/// The CUDA language in plain C++: with it the kernels of kernels/cuda run where there is no GPU, so that every index,
/// fragment and barrier of theirs is tried on every machine. Included by kernels/cuda/device.h in place of nvcc's own.
///
/// One block runs at a time; its threads are fibers that go on until a barrier or an instruction of the whole warp. Who
/// goes on first is drawn anew at each of these, by a seeded generator: a kernel that lacks a barrier gives other
/// numbers under another seed. Shared memory begins as NaN. A thread that ends without wait_for_kernels_before() ends
/// the process, and where a graph runs one block of each kernel comes to that wait before the kernel in front of it has
/// begun: what it read or wrote too early is seen. What a GPU does at once and this does not show: the order of stores
/// between warps, asynchronous copies that arrive late (they arrive when they are waited for), speed.

#include <any>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

#include "base/dtype.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__

struct uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 {
  uint32_t x = 1, y = 1, z = 1;
  constexpr dim3(uint32_t new_x = 1, uint32_t new_y = 1, uint32_t new_z = 1) : x(new_x), y(new_y), z(new_z) {}
};

struct CUstream_st;

namespace gossamer::emulated {

/// A thread of the block that is running.
struct Place {
  dim3 thread, block, block_size, grid_size;
};
const Place& place();
std::byte* shared_bytes();

/// Waits for all threads of the block that have not ended.
void wait_for_block();

/// The threads of a warp show each other `bytes` bytes: gives those of all 32, lane after lane, valid until the next
/// call. `site` is the same for all, or the kernel is wrong and the process ends.
const std::byte* show_warp(const void* mine, size_t bytes, const char* site);

/// The same for the 128 threads of a warpgroup.
const std::byte* show_warpgroup(const void* mine, size_t bytes, const char* site);

/// Lets others go on until that is so.
void wait_until(const std::function<bool()>& is_so, const char* site);

/// Ends the process with a word about the thread that is running.
[[noreturn]] void give_up(const char* what, const char* detail);

/// What emulated_hopper.cc keeps of the thread that is running.
std::any& kept_of_thread();
size_t shared_size();

/// Copies that were begun by this thread and not waited for.
void begin_copy(void* to, const void* from, size_t bytes);
void commit_copies();
void wait_for_copies(uint32_t most_groups_left);

/// A kernel tells the host something: emulated_copies.h.
void raise_flag(uint32_t* flag);

/// Weights that are asked for ahead of time must be there, and lie as the instruction wants them.
void check_prefetch(const std::byte* from, uint32_t bytes);

/// Runs a kernel: every block of the grid, `threads` threads each.
void run(dim3 grid, uint32_t threads, size_t shared_bytes, const std::function<void()>& kernel);

/// A kernel as host code started it: its arguments are what they were then.
struct Launch {
  dim3 grid;
  uint32_t threads;
  size_t shared_bytes;
  std::function<void()> kernel;
};
/// Runs it at once, or where the stream is being recorded, keeps it for later.
void start(CUstream_st* stream, Launch launch);
/// Kernels one after the other; of each but the first, a block has come to its wait before the one in front begins.
void run_overlapping(std::span<const Launch> launches);
/// The thread waits until the kernels before its own have ended.
void wait_for_kernels();

/// Another order of threads from now on.
void set_seed(uint32_t seed);

}  // namespace gossamer::emulated

#define threadIdx (::gossamer::emulated::place().thread)
#define blockIdx (::gossamer::emulated::place().block)
#define blockDim (::gossamer::emulated::place().block_size)
#define gridDim (::gossamer::emulated::place().grid_size)

namespace gossamer::kernels::cuda {

inline void* shared_memory() {
  return emulated::shared_bytes();
}
inline void block_barrier() {
  emulated::wait_for_block();
}
inline void warp_barrier() {
  emulated::show_warp(nullptr, 0, "warp_barrier");
}

template <class T>
T shuffle(T value, uint32_t lane) {
  T all[32];
  std::memcpy(all, emulated::show_warp(&value, sizeof value, "shuffle"), sizeof all);
  return all[lane & 31];
}
template <class T>
T shuffle_xor(T value, uint32_t mask) {
  return shuffle(value, (threadIdx.x & 31) ^ mask);
}
inline uint32_t warp_ballot(bool vote) {
  const uint32_t mine = vote;
  uint32_t all[32], ballot = 0;
  std::memcpy(all, emulated::show_warp(&mine, sizeof mine, "ballot"), sizeof all);
  for (uint32_t lane = 0; lane < 32; ++lane) ballot |= all[lane] << lane;
  return ballot;
}
inline uint32_t count_bits(uint32_t bits) {
  return static_cast<uint32_t>(__builtin_popcount(bits));
}

inline uint32_t pack_bf16(float low, float high) {
  return f32_to_bf16(low) | uint32_t{f32_to_bf16(high)} << 16;
}
inline uint32_t pack_f16(float low, float high) {
  return f32_to_f16(low) | uint32_t{f32_to_f16(high)} << 16;
}
inline float low_bf16(uint32_t pair) {
  return bf16_to_f32(static_cast<uint16_t>(pair));
}
inline float high_bf16(uint32_t pair) {
  return bf16_to_f32(static_cast<uint16_t>(pair >> 16));
}
inline float low_f16(uint32_t pair) {
  return f16_to_f32(static_cast<uint16_t>(pair));
}
inline float high_f16(uint32_t pair) {
  return f16_to_f32(static_cast<uint16_t>(pair >> 16));
}
/// a - b, halves in pairs.
inline uint32_t subtract_f16(uint32_t a, uint32_t b) {
  return pack_f16(low_f16(a) - low_f16(b), high_f16(a) - high_f16(b));
}
/// a - b, numbers of bf16 in pairs.
inline uint32_t subtract_bf16(uint32_t a, uint32_t b) {
  return pack_bf16(low_bf16(a) - low_bf16(b), high_bf16(a) - high_bf16(b));
}
/// An 8 x 8 matrix of 16-bit numbers, of whose row g lane 4 g + q holds the pair 2 q, 2 q + 1, becomes its transpose.
inline uint32_t transpose_8x8(uint32_t pair) {
  uint32_t all[32];
  std::memcpy(all, emulated::show_warp(&pair, sizeof pair, "transpose"), sizeof all);
  const uint32_t lane = threadIdx.x & 31, group = lane / 4, quad = lane % 4;
  const auto number = [&](uint32_t row, uint32_t col) { return all[4 * row + col / 2] >> 16 * (col % 2) & 0xffff; };
  return number(2 * quad, group) | number(2 * quad + 1, group) << 16;
}
inline float multiply_alone(float a, float b) {
  return a * b;
}
/// a * b, halves in pairs.
inline uint32_t multiply_f16(uint32_t a, uint32_t b) {
  return pack_f16(low_f16(a) * low_f16(b), high_f16(a) * high_f16(b));
}
/// Four of the bytes of b:a (a's are 0 to 3), as the nibbles of `which` say.
inline uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t which) {
  const uint64_t both = uint64_t{b} << 32 | a;
  uint32_t out = 0;
  for (uint32_t i = 0; i < 4; ++i) out |= static_cast<uint32_t>(both >> 8 * (which >> 4 * i & 7) & 255) << 8 * i;
  return out;
}
inline float bits_to_float(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline uint32_t float_to_bits(float value) {
  return std::bit_cast<uint32_t>(value);
}

inline float exp2_fast(float x) {
  return std::exp2(x);
}
inline float divide_fast(float a, float b) {
  return a / b;
}

/// Where products and sums are not joined (-ffp-contract=off, for all of the program).
inline float add_exact(float a, float b) {
  return a + b;
}
inline float multiply_exact(float a, float b) {
  return a * b;
}
inline double add_exact(double a, double b) {
  return a + b;
}
inline double multiply_exact(double a, double b) {
  return a * b;
}

/// d += a * b by one warp: a is 16x16, b 16x8, d 16x8; who holds what is in strips.h.
template <float (*kValue)(uint16_t)>
void emulate_mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, const char* site) {
  struct Held {
    uint32_t a[4], b[2];
  } mine{{a[0], a[1], a[2], a[3]}, {b0, b1}}, all[32];
  std::memcpy(all, emulated::show_warp(&mine, sizeof mine, site), sizeof all);
  const uint32_t lane = threadIdx.x & 31, group = lane / 4, pair = lane % 4;
  const auto value = [](uint32_t word, uint32_t half) { return kValue(static_cast<uint16_t>(word >> 16 * half)); };
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t row = i / 2, col = 2 * pair + i % 2;  // row: group or group + 8
    double sum = 0;
    for (uint32_t k = 0; k < 16; ++k) {
      const uint32_t holder = k % 8 / 2, word = k / 8;
      sum += static_cast<double>(value(all[group * 4 + holder].a[2 * word + row], k % 2)) *
             value(all[col * 4 + holder].b[word], k % 2);
    }
    d[i] = static_cast<float>(d[i] + sum);
  }
}
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulate_mma<bf16_to_f32>(d, a, b0, b1, "mma_bf16");
}
/// d = a * b
inline void mma_bf16_from_zero(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  d[0] = d[1] = d[2] = d[3] = 0;
  mma_bf16(d, a, b0, b1);
}
inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulate_mma<f16_to_f32>(d, a, b0, b1, "mma_f16");
}

inline uint4 load_once(const uint4* at) {
  return *at;
}
inline void copy_async_16(void* shared, const void* global) {
  emulated::begin_copy(shared, global, 16);
}
inline void commit_copies() {
  emulated::commit_copies();
}
template <uint32_t kGroupsLeft>
void wait_for_copies() {
  emulated::wait_for_copies(kGroupsLeft);
}

inline void publish_stores() {}
inline void raise_flag(uint32_t* flag) {
  emulated::raise_flag(flag);
}
inline float load_fresh(const float* at) {
  return *at;
}
inline void wait_for_kernels_before() {
  emulated::wait_for_kernels();
}
inline void let_next_kernel_begin() {}
inline void prefetch_weights(const std::byte* from, uint32_t bytes) {
  emulated::check_prefetch(from, bytes);
}

inline uint32_t add_atomic(uint32_t* at, uint32_t value) {
  const uint32_t before = *at;
  *at += value;
  return before;
}
inline void add_atomic(uint64_t* at, uint64_t value) {
  *at += value;
}

}  // namespace gossamer::kernels::cuda
