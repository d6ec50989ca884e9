#pragma once
/// The machine surface of AMX: eight tiles of 16 rows of 64 bytes, and products of bf16 between them.
///
/// Compiled with GOSSAMER_EMULATE_TILES the same functions are plain loops: tests run the kernels above them on
/// machines without AMX.

#include <immintrin.h>

#include <cstdint>

namespace gossamer::kernels::amx {
namespace {

constexpr uint32_t kTileRowCount = 16, kTileRowBytes = 64;

/// What ldtilecfg reads.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

#ifdef GOSSAMER_EMULATE_TILES

struct EmulatedTile {
  alignas(64) uint8_t bytes[kTileRowCount][kTileRowBytes];
};
thread_local EmulatedTile emulated_tiles[8];
thread_local TileConfig emulated_config;

inline void load_config(const TileConfig& config) {
  emulated_config = config;
}
inline void release_tiles() {}
template <int kTile>
void tile_zero() {
  __builtin_memset(&emulated_tiles[kTile], 0, sizeof(EmulatedTile));
}
template <int kTile>
void tile_load(const void* rows, uint64_t stride_bytes) {
  for (uint32_t r = 0; r < emulated_config.rows[kTile]; ++r)
    __builtin_memcpy(emulated_tiles[kTile].bytes[r], static_cast<const uint8_t*>(rows) + r * stride_bytes,
                     kTileRowBytes);
}
template <int kTile>
void tile_store(void* rows, uint64_t stride_bytes) {
  for (uint32_t r = 0; r < emulated_config.rows[kTile]; ++r)
    __builtin_memcpy(static_cast<uint8_t*>(rows) + r * stride_bytes, emulated_tiles[kTile].bytes[r], kTileRowBytes);
}
inline float bf16_at(const EmulatedTile& tile, uint32_t row, uint32_t column) {
  uint16_t half;
  __builtin_memcpy(&half, tile.bytes[row] + 2 * column, sizeof half);
  const uint32_t bits = uint32_t{half} << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
/// As the manual of the instruction has it: even and odd products in sums of their own, added to the tile at the end.
template <int kSum, int kA, int kB>
void tile_dot_bf16() {
  for (uint32_t m = 0; m < emulated_config.rows[kSum]; ++m)
    for (uint32_t n = 0; n < kTileRowCount; ++n) {
      float even = 0, odd = 0, sum;
      for (uint32_t k = 0; k < kTileRowCount; ++k) {
        even += bf16_at(emulated_tiles[kA], m, 2 * k) * bf16_at(emulated_tiles[kB], k, 2 * n);
        odd += bf16_at(emulated_tiles[kA], m, 2 * k + 1) * bf16_at(emulated_tiles[kB], k, 2 * n + 1);
      }
      __builtin_memcpy(&sum, emulated_tiles[kSum].bytes[m] + 4 * n, sizeof sum);
      sum += even + odd;
      __builtin_memcpy(emulated_tiles[kSum].bytes[m] + 4 * n, &sum, sizeof sum);
    }
}

#else

// By hand, not by intrinsics: GCC 12's _tile_loadconfig() tells the compiler that it reads eight bytes, which then
// drops the others, and its other ones take no template parameter for a tile's number.
inline void load_config(const TileConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config));
}
inline void release_tiles() {
  asm volatile("tilerelease");
}
template <int kTile>
void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kTile>
void tile_load(const void* rows, uint64_t stride_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(rows), "r"(stride_bytes), "i"(kTile) : "memory");
}
template <int kTile>
void tile_store(void* rows, uint64_t stride_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(rows), "r"(stride_bytes), "i"(kTile) : "memory");
}
/// sum [16 inputs, 16 rows] += a [16 inputs, 32] . b [16 pairs, 16 rows, 2].
template <int kSum, int kA, int kB>
void tile_dot_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
}

#endif

}  // namespace
}  // namespace gossamer::kernels::amx
