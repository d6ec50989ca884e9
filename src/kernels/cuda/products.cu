/// Products of weights in strips with any number of rows. Two kernels, one arithmetic: eight warps share a strip, a
/// slice of its columns each, where few rows meet it and reading it is all the work; every warp has a strip of its own
/// and meets 64 rows with it where arithmetic is. Strips stand on the left of mma.m16n8k16, rows of x on the right.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/product_parts.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kWarps = kSlices;
constexpr uint32_t kThreads = kWarps * 32;

/// Block: a strip and 8 rows; warp: a slice of the columns. Grid: strips, tiles.
template <StripFormat kFormat>
__global__ void __launch_bounds__(kThreads, blocks_of_slices(kFormat)) strip_of_slices(ProductArgs args) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, quad = lane % 4;
  if (!args.tiles)
    prefetch_slice<kFormat>(args.strips + uint64_t{blockIdx.x} * args.shape.strip_bytes(), args.shape, warp);
  wait_for_kernels_before();
  let_next_kernel_begin();
  Tile tile;
  if (!find_tile(args, 8, blockIdx.y, tile)) return;
  const std::byte* strip = tile.strips + uint64_t{blockIdx.x} * args.shape.strip_bytes();
  const uint32_t my_row = tile.begin + group;
  const uint4* x = my_row < tile.end ? reinterpret_cast<const uint4*>(x_row(args, my_row)) + quad : nullptr;
  float sums[4] = {0, 0, 0, 0};
  add_slice<kFormat>(strip, args.shape, warp, x, sums);

  auto* slices = static_cast<float4*>(shared_memory());  // [slices][32 lanes]
  slices[warp * 32 + lane] = {sums[0], sums[1], sums[2], sums[3]};
  block_barrier();
  if (warp != 0) return;
  float total[4];
  add_up_slices(slices, total);
  finish(args, strip, blockIdx.x, group, tile.begin + 2 * quad, tile.end, total);
}

constexpr uint32_t kTileRows = 64;
constexpr uint32_t kTiles = kTileRows / 8;
constexpr uint32_t kStages = 3;
constexpr uint32_t kStageBytes = kTileRows * kStepCols * 2;

/// Where 8 columns of a row of x are in a stage: rows of 128 bytes, the odd ones with their halves exchanged, so that
/// the eight lanes that read together find their 16 bytes in different banks.
__device__ __forceinline__ uint32_t stage_offset(uint32_t row, uint32_t chunk) {
  return row * 128 + (chunk ^ (row % 2 * 4)) * 16;
}

/// Begins to copy a step of the tile's rows of x; behind the last one its row again.
__device__ __forceinline__ void copy_stage(const ProductArgs& args, const Tile& tile, uint32_t step, std::byte* stage) {
  for (uint32_t i = threadIdx.x; i < kTileRows * 8; i += kThreads) {
    const uint32_t row = i / 8, chunk = i % 8;
    const uint32_t from = tile.begin + row < tile.end ? tile.begin + row : tile.end - 1;
    copy_async_16(stage + stage_offset(row, chunk), x_row(args, from) + step * kStepCols + chunk * 8);
  }
}

/// Block: eight strips and 64 rows; warp: a strip. Grid: eights of strips, tiles.
template <StripFormat kFormat>
__global__ void __launch_bounds__(kThreads) strip_of_warp(ProductArgs args) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, quad = lane % 4;
  wait_for_kernels_before();
  let_next_kernel_begin();
  Tile tile;
  if (!find_tile(args, kTileRows, blockIdx.y, tile)) return;
  const uint32_t strip_index = blockIdx.x * kWarps + warp;
  const bool has_strip = strip_index < args.shape.num_strips();
  const std::byte* strip = tile.strips + uint64_t{has_strip ? strip_index : 0} * args.shape.strip_bytes();
  const uint32_t scales_offset = args.shape.scales_offset(), num_steps = args.shape.num_steps();
  auto* stages = static_cast<std::byte*>(shared_memory());

  for (uint32_t step = 0; step + 1 < kStages; ++step) {
    if (step < num_steps) copy_stage(args, tile, step, stages + step * kStageBytes);
    commit_copies();
  }
  float total[kTiles][4] = {}, sums[kTiles][4] = {};
  uint32_t slice = 0;
  for (uint32_t step = 0; step < num_steps; ++step) {
    wait_for_copies<kStages - 2>();
    block_barrier();  // everybody's copies are there, and everybody is done with the stage that is filled next
    if (step + kStages - 1 < num_steps)
      copy_stage(args, tile, step + kStages - 1, stages + (step + kStages - 1) % kStages * kStageBytes);
    commit_copies();
    if (!has_strip) continue;
    while (step == slice_begin(slice + 1, num_steps)) {
      for (uint32_t n = 0; n < kTiles; ++n)
        for (uint32_t j = 0; j < 4; ++j) {
          total[n][j] += sums[n][j];
          sums[n][j] = 0;
        }
      ++slice;
    }
    Step<kFormat> weights;
    weights.load(strip, scales_offset, step, lane);
    const std::byte* stage = stages + step % kStages * kStageBytes;
    for (uint32_t n = 0; n < kTiles; ++n) {
      uint4 rows[2];
      for (uint32_t half = 0; half < 2; ++half)
        rows[half] = *reinterpret_cast<const uint4*>(stage + stage_offset(n * 8 + group, half * 4 + quad));
      add_step(weights, rows, sums[n]);
    }
  }
  if (!has_strip) return;
  for (uint32_t n = 0; n < kTiles; ++n) {
    for (uint32_t j = 0; j < 4; ++j) total[n][j] += sums[n][j];
    finish(args, strip, strip_index, group, tile.begin + n * 8 + 2 * quad, tile.end, total[n]);
  }
}

template <StripFormat kFormat>
void start(const ProductArgs& args, uint32_t tile_rows, uint32_t num_tiles, Stream stream) {
  const uint32_t strips = args.shape.num_strips();
  if (tile_rows == 8)
    launch(strip_of_slices<kFormat>, dim3(strips, num_tiles), kThreads, kThreads * sizeof(float4), stream, args);
  else
    launch(strip_of_warp<kFormat>, dim3((strips + kWarps - 1) / kWarps, num_tiles), kThreads, kStages * kStageBytes,
           stream, args);
}

}  // namespace

void product(const ProductArgs& args, Stream stream) {
  const uint32_t tile_rows = args.tiles ? args.tile_rows : tile_rows_for(args.num_rows, args.sums);
  const uint32_t num_tiles = args.tiles ? args.max_tiles : (args.num_rows + tile_rows - 1) / tile_rows;
  if (num_tiles == 0) return;
  if (args.sums != Sums::kInSlices && tile_rows > 8) return product_on_hopper(args, tile_rows, num_tiles, stream);
  switch (args.shape.format) {
    case StripFormat::kBf16:
      return start<StripFormat::kBf16>(args, tile_rows, num_tiles, stream);
    case StripFormat::kF16:
      return start<StripFormat::kF16>(args, tile_rows, num_tiles, stream);
    case StripFormat::kQ8:
      return start<StripFormat::kQ8>(args, tile_rows, num_tiles, stream);
    case StripFormat::kMxfp4:
      return start<StripFormat::kMxfp4>(args, tile_rows, num_tiles, stream);
  }
}

}  // namespace gossamer::kernels::cuda
