// Everything of AMX's table but the file that it is in: kernels.cc includes this, and so does the test that emulates
// tiles. Included inside an anonymous namespace that sees tile.h and AVX-512's surfaces.
#pragma once

// clang-format off: each builds on those before it
#include "kernels/cpu/readers-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/panels-inl.h"
#include "kernels/cpu/int_gemm-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/attend-inl.h"
#include "kernels/cpu/peak-inl.h"
#include "kernels/cpu/amx/tiles-inl.h"
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

/// AVX-512's loops, and tiles where many inputs meet a matrix.
constexpr IsaKernels tile_table(const char* name) {
  IsaKernels kernels = table(name);
  kernels.takes_tiles = takes_tiles;
  kernels.to_bf16 = to_bf16;
  kernels.tile_gemm = tile_gemm;
  kernels.tile_scratch_bytes = tile_scratch_bytes;
  kernels.rounded_peak = tile_peak;
  kernels.rounded_peak_flops = 4 * 2.0 * 16 * 16 * 32;
  return kernels;
}
