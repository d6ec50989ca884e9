// Everything of AMX's table but the file that it is in: kernels.cc includes this, and so does the test that emulates
// tiles. Included inside an anonymous namespace that sees tile.h and AVX-512's surfaces.
#pragma once

// clang-format off: each builds on those before it
#include "kernels/cpu/readers-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/panels-inl.h"
#include "kernels/cpu/int_gemm-inl.h"
#include "kernels/cpu/exp-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/attend_chunk-inl.h"
#include "kernels/cpu/attend-inl.h"
#include "kernels/cpu/peak-inl.h"
#include "kernels/cpu/amx/tiles-inl.h"
#include "kernels/cpu/avx512bf16/bf16_products-inl.h"
#include "kernels/cpu/amx/attend_tiles-inl.h"
#include "kernels/cpu/table-inl.h"
// clang-format on

/// `rounds` products of tiles into four sums, none of which waits for another.
float tile_peak(uint64_t rounds) {
  configure_tiles();
  alignas(64) float sums[16 * 16] = {};
  tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  tile_load<4>(sums, 64), tile_load<6>(sums, 64);
  for (uint64_t round = 0; round < rounds; ++round)
    tile_dot_bf16<0, 4, 6>(), tile_dot_bf16<1, 4, 6>(), tile_dot_bf16<2, 4, 6>(), tile_dot_bf16<3, 4, 6>();
  tile_store<0>(sums, 64);
  release_tiles();
  return sums[0];
}

/// One product of numbers that bf16 and float32 keep exactly, so that there is one right answer: a system may offer
/// tiles and, under an emulator or a faulty hypervisor, not have them in order.
inline bool tile_product_is_right() {
  alignas(64) uint16_t a[16][32], b[16][32];  // [inputs, columns], [pairs of columns, rows, 2]
  alignas(64) float sums[16][16];
  const auto left = [](uint32_t m, uint32_t k) { return static_cast<float>((3 * m + k) % 11) - 5; };
  const auto right = [](uint32_t k, uint32_t n) { return static_cast<float>((k + 5 * n) % 7) - 3; };
  for (uint32_t i = 0; i < 16; ++i)
    for (uint32_t k = 0; k < 32; ++k) {
      a[i][k] = f32_to_bf16(left(i, k));
      b[k / 2][2 * i + k % 2] = f32_to_bf16(right(k, i));
    }
  configure_tiles();
  tile_zero<0>();
  tile_load<4>(a, 64);
  tile_load<6>(b, 64);
  tile_dot_bf16<0, 4, 6>();
  tile_dot_bf16<0, 4, 6>();
  tile_store<0>(sums, 64);
  release_tiles();
  for (uint32_t m = 0; m < 16; ++m)
    for (uint32_t n = 0; n < 16; ++n) {
      float sum = 0;
      for (uint32_t k = 0; k < 32; ++k) sum += left(m, k) * right(k, n);
      if (sums[m][n] != 2 * sum) return false;
    }
  return true;
}

/// The loops of AVX-512, and tiles where many inputs meet a matrix and where queries meet a bf16 cache.
inline IsaKernels tile_table(const char* name) {
  IsaKernels kernels = table(name);
  kernels.attend_chunk_rounded = attend_chunk_in_tiles;
  kernels.takes_tiles = takes_tiles;
  kernels.to_bf16 = to_bf16;
  kernels.tile_gemm = tile_gemm;
  kernels.tile_scratch_bytes = tile_scratch_bytes;
  kernels.rounded_peak = tile_peak;
  kernels.rounded_peak_flops = 4 * 2.0 * 16 * 16 * 32;
  return kernels;
}
