/// Products of weights in strips with many rows by Hopper's warpgroups; elsewhere these kernels are empty and nobody
/// starts them. A block has eight strips and 64 to 256 rows of x: one warpgroup brings the rows of x into a ring of
/// stages in shared memory, two multiply, four strips each, and while one of the two makes numbers of codes the tensor
/// cores work for the other. So neither needs a second set of operands in registers.
///
/// Left operand: weights, straight from a strip into registers, which hold what the instruction wants (strips.h). Right
/// operand: rows of x. The tensor cores take columns in the order of shared memory, 16 at a time, and a lane of quad t
/// holds the weights of columns 8t .. 8t + 7 of every 32: so x must stand there with word (two columns) w of chunk t
/// where word t of chunk w was, a transposition of four by four words. No asynchronous copy does that at a useful rate
/// (4 bytes at a time, or not with rows that are gathered), so the rows go through registers: 16 bytes are read, four
/// words are stored, without bank conflicts, and as many bytes pass through shared memory as with any copy.
///
/// Two orders of sums (Sums in step_ops.h):
/// - Slices: those of products.cu, number for number, if the tensor cores round alike. Blocks of 32 columns with scales
///   come from zero, and are multiplied in float32: of a tile of 128 rows 64 multiplications a lane for 128 cycles of
///   tensor cores, which the other warpgroup fills.
/// - One run: the instruction adds up all columns. A scale of MXFP4 is multiplied into the weights. A code is 2^-14 of
///   its value in half precision (0.5 as 2^-15, a subnormal); times 2^14 scale, a normal power of two for scales up to
///   2^1, that is value * scale: three bits of mantissa at most, from 6 * 2^1 = 12 down to 0.5 * 2^-23 = 2^-24, the
///   last subnormal. So it is exact for scales of 2^-23 .. 2^1 and for no others: host code looks at all of a
///   model's before it asks for this (mxfp4_scale_folds()). bf16 would follow every scale, and take three bits from x.

#include "kernels/cuda/device_hopper.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/product_parts.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kGroupThreads = 128;
constexpr uint32_t kGroupStrips = 4;
constexpr uint32_t kMultipliers = 2;  // warpgroups
constexpr uint32_t kThreads = (1 + kMultipliers) * kGroupThreads;
constexpr uint32_t kBlockStrips = kMultipliers * kGroupStrips;
constexpr uint32_t kStages = 4;
constexpr uint32_t kRowBytes = kStepCols * 2;

/// Registers of a thread: a block is started with 168 each, and all must stay within that.
template <uint32_t kTokens, Sums kSums>
struct Registers {
  static constexpr bool kTwoSets = kSums == Sums::kInSlicesOnHopper && kTokens == 128;  // of sums, and a block's
  static constexpr uint32_t kBringer = kTwoSets ? 72 : 104, kMultiplier = kTwoSets ? 216 : 200;
  static_assert(kBringer + kMultipliers * kMultiplier <= (1 + kMultipliers) * 168);
};

/// Stages of a step each: [tokens][64 columns]. Full when four warps have stored, empty when all that multiply are
/// done.
template <uint32_t kTokens>
struct Ring {
  static constexpr uint32_t kStageBytes = kTokens * kRowBytes;
  static constexpr uint32_t kBytes = kSwizzleBytes + kStages * kStageBytes + 2 * kStages * sizeof(uint64_t);
  std::byte* stages;
  uint64_t* full;
  uint64_t* empty;

#ifdef GOSSAMER_HAS_WARPGROUPS
  __device__ __forceinline__ explicit Ring(void* shared) {
    stages = static_cast<std::byte*>(shared) + (0u - shared_address(shared)) % kSwizzleBytes;
    full = reinterpret_cast<uint64_t*>(stages + kStages * kStageBytes);
    empty = full + kStages;
  }
  __device__ __forceinline__ void init() const {
    for (uint32_t i = 0; i < kStages; ++i) {
      mbarrier_init(full + i, kGroupThreads / 32);
      mbarrier_init(empty + i, kMultipliers * kGroupThreads / 32);
    }
  }
  __device__ __forceinline__ std::byte* stage(uint32_t step) const { return stages + step % kStages * kStageBytes; }
  /// `of_first`: that of the first stage.
  __device__ __forceinline__ static uint64_t operand(uint64_t of_first, uint32_t step) {
    return wgmma_operand_behind(of_first, step % kStages * kStageBytes);
  }
  __device__ __forceinline__ void wait_full(uint32_t step) const {
    mbarrier_wait(full + step % kStages, step / kStages % 2);
  }
  __device__ __forceinline__ void wait_empty(uint32_t step) const {
    mbarrier_wait(empty + step % kStages, step / kStages % 2 ^ 1);
  }
  /// By all lanes of a warp, of which each has fenced what it stored.
  __device__ __forceinline__ void fill(uint32_t step) const {
    warp_barrier();
    if (threadIdx.x % 32 == 0) mbarrier_arrive(full + step % kStages);
  }
  __device__ __forceinline__ void release(uint32_t step) const {
    if (threadIdx.x % 32 == 0) mbarrier_arrive(empty + step % kStages);
  }
#endif
};

#ifdef GOSSAMER_HAS_WARPGROUPS

/// The block's strips, as a thread of the first eight asks for one of them ahead of those who read it: 8 by 16 steps of
/// MXFP4 are 64 KiB on their way to a multiprocessor, twice what memory needs to be busy. The loads to registers then
/// wait for the second cache alone, and one step ahead is enough for them.
template <StripFormat kFormat>
struct StripAhead {
  static constexpr uint32_t kAskedSteps = 8;  // at once
  static constexpr uint32_t kAheadSteps = 16;
  static constexpr uint32_t kStepBytes = step_vectors(kFormat) * 512;
  const std::byte* strip = nullptr;  // null: this thread asks for none

  __device__ __forceinline__ StripAhead(const ProductArgs& args, const Tile& tile) {
    const uint32_t index = blockIdx.x * kBlockStrips + threadIdx.x;
    if (threadIdx.x >= kBlockStrips || index >= args.shape.num_strips()) return;
    const StripShape& shape = args.shape;
    strip = tile.strips + uint64_t{index} * shape.strip_bytes();
    const uint32_t first_steps = shape.num_steps() < kAheadSteps ? shape.num_steps() : kAheadSteps;
    bring_to_l2(strip, first_steps * kStepBytes);
    bring_to_l2(strip + shape.scales_offset(), shape.strip_bytes() - shape.scales_offset());
  }
  /// Whoever reads is at `step` or before it.
  __device__ __forceinline__ void go_on(uint32_t step, uint32_t num_steps) const {
    const uint32_t first = step + kAheadSteps;
    if (!strip || step % kAskedSteps != 0 || first >= num_steps) return;
    const uint32_t steps = num_steps - first < kAskedSteps ? num_steps - first : kAskedSteps;
    bring_to_l2(strip + first * kStepBytes, steps * kStepBytes);
  }
};

/// The first warpgroup: rows of x from memory to the ring, transposed; behind the last row of the tile that row again.
/// Eight lanes by four read the four chunks of 32 columns of eight rows. kAhead steps are on their way in registers.
template <StripFormat kFormat, uint32_t kTokens, uint32_t kAhead>
__device__ __forceinline__ void bring_rows(const ProductArgs& args, const Tile& tile, const Ring<kTokens>& ring) {
  constexpr uint32_t kRows = kTokens / 32;  // of a thread
  const uint32_t lane = threadIdx.x % 32, quad = lane % 4, num_steps = args.shape.num_steps();
  const uint32_t first_row = threadIdx.x / 32 * 8 + lane / 4;
  const uint4* from[kRows];  // the last step that is on its way
  for (uint32_t i = 0; i < kRows; ++i) {
    const uint32_t row = tile.begin + first_row + i * 32;
    from[i] = reinterpret_cast<const uint4*>(x_row(args, row < tile.end ? row : tile.end - 1)) + quad;
  }
  const StripAhead<kFormat> strip(args, tile);
  uint4 held[kAhead][2 * kRows];
  for (uint32_t ahead = 0; ahead < kAhead; ++ahead)
    for (uint32_t i = 0; i < 2 * kRows; ++i) {
      if (i % 2 == 0 && ahead > 0 && ahead < num_steps) from[i / 2] += 8;
      held[ahead][i] = from[i / 2][i % 2 * 4];
    }
  for (uint32_t first = 0; first < num_steps; first += kAhead)
#pragma unroll
    for (uint32_t ahead = 0; ahead < kAhead; ++ahead) {
      const uint32_t step = first + ahead;
      if (step >= num_steps) break;
      strip.go_on(step, num_steps);
      ring.wait_empty(step);
      std::byte* const to = ring.stage(step) + first_row * kRowBytes + quad * 4;
      const uint32_t further = step + kAhead < num_steps ? 8 : 0;  // behind the last step that one again, for nobody
#pragma unroll
      for (uint32_t i = 0; i < 2 * kRows; ++i) {
#pragma unroll
        for (uint32_t word = 0; word < 4; ++word)
          store_for_wgmma(to + i / 2 * 32 * kRowBytes + swizzled_chunk(first_row, i % 2 * 4 + word) * 16,
                          word_of(held[ahead][i], word));
        if (i % 2 == 0) from[i / 2] += further;
        held[ahead][i] = from[i / 2][i % 2 * 4];
      }
      fence_stores();
      ring.fill(step);
    }
}

/// Sums of a lane over all columns in one run, the scales in the weights.
template <StripFormat kFormat, uint32_t kTokens>
__device__ __forceinline__ void add_in_one_run(const ProductArgs& args, const std::byte* strip,
                                               const Ring<kTokens>& ring, float (&sums)[kTokens / 2]) {
  const uint32_t lane = threadIdx.x % 32, scales_offset = args.shape.scales_offset(),
                 num_steps = args.shape.num_steps();
  const uint64_t of_first = wgmma_operand_at(shared_address(ring.stages));
  Step<kFormat> weights;
  weights.load(strip, scales_offset, 0, lane);
  for (uint32_t step = 0; step < num_steps; ++step) {
    uint32_t a[4][4];
    if constexpr (kFormat == StripFormat::kMxfp4) {
      const uint32_t factors = weights.fold_factors();
      for (uint32_t i = 0; i < 4; ++i) weights.folded_fragment(i / 2, i % 2, factors, a[i]);
    } else {
      for (uint32_t i = 0; i < 4; ++i) weights.fragment(i / 2, i % 2, a[i]);
    }
    weights.load(strip, scales_offset, step + 1 < num_steps ? step + 1 : step, lane);  // beside the products
    ring.wait_full(step);
    const uint64_t x = ring.operand(of_first, step);
    wgmma_fence(sums, a);
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) wgmma<true, takes_bf16(kFormat)>(sums, a[i], wgmma_operand_behind(x, i * 32));
    wgmma_commit();
    wgmma_wait(sums);
    ring.release(step);
  }
}

/// sums += a step; columns with scales in blocks of 32 from zero, as add_step() of products.cu. `load_next` is called
/// where there are registers for the next step's weights, and products to load them beside.
template <StripFormat kFormat, uint32_t kTokens, class LoadNext>
__device__ __forceinline__ void add_step(const Step<kFormat>& weights, uint64_t x, float (&sums)[kTokens / 2],
                                         const LoadNext& load_next) {
  if constexpr (step_scale_bytes(kFormat) == 0) {
    uint32_t a[4][4];
    for (uint32_t i = 0; i < 4; ++i) weights.fragment(i / 2, i % 2, a[i]);
    load_next();
    wgmma_fence(sums, a);
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) wgmma<true, takes_bf16(kFormat)>(sums, a[i], wgmma_operand_behind(x, i * 32));
    wgmma_commit();
    wgmma_wait(sums);
  } else {
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      uint32_t a[2][4];
      for (uint32_t i = 0; i < 2; ++i) weights.fragment(half, i, a[i]);
      if (half == (kFormat == StripFormat::kQ8 ? 1 : 0)) load_next();
      float block[kTokens / 2];
      wgmma_fence(block, a);
      wgmma<false, false>(block, a[0], wgmma_operand_behind(x, half * 64));
      wgmma<true, false>(block, a[1], wgmma_operand_behind(x, half * 64 + 32));
      wgmma_commit();
      wgmma_wait(block);
#pragma unroll
      for (uint32_t j = 0; j < kTokens / 2; ++j) sums[j] = fmaf(block[j], weights.scale(half, j / 2 % 2), sums[j]);
    }
  }
}

/// Sums of a lane over the slices of columns, each from zero, in order.
template <StripFormat kFormat, uint32_t kTokens>
__device__ __forceinline__ void add_in_slices(const ProductArgs& args, const std::byte* strip,
                                              const Ring<kTokens>& ring, float (&total)[kTokens / 2]) {
  const uint32_t lane = threadIdx.x % 32, scales_offset = args.shape.scales_offset(),
                 num_steps = args.shape.num_steps();
  const uint64_t of_first = wgmma_operand_at(shared_address(ring.stages));
  Step<kFormat> next;
  next.load(strip, scales_offset, 0, lane);
  for (uint32_t slice = 0; slice < kSlices; ++slice) {
    float sums[kTokens / 2] = {};
    for (uint32_t step = slice_begin(slice, num_steps); step < slice_begin(slice + 1, num_steps); ++step) {
      const Step<kFormat> weights = next;
      const auto load_next = [&] { next.load(strip, scales_offset, step + 1 < num_steps ? step + 1 : step, lane); };
      ring.wait_full(step);
      add_step<kFormat, kTokens>(weights, ring.operand(of_first, step), sums, load_next);
      ring.release(step);
    }
#pragma unroll
    for (uint32_t j = 0; j < kTokens / 2; ++j) total[j] += sums[j];
  }
}

/// The other warpgroups: a warp has a strip and all rows.
template <StripFormat kFormat, uint32_t kTokens, Sums kSums>
__device__ __forceinline__ void multiply_rows(const ProductArgs& args, const Tile& tile, const Ring<kTokens>& ring) {
  const uint32_t lane = threadIdx.x % 32;
  const uint32_t strip_index = blockIdx.x * kBlockStrips + (threadIdx.x - kGroupThreads) / 32;
  const bool has_strip = strip_index < args.shape.num_strips();  // the warpgroup needs all its warps
  const std::byte* strip = tile.strips + uint64_t{has_strip ? strip_index : 0} * args.shape.strip_bytes();
  float sums[kTokens / 2] = {};
  if constexpr (kSums == Sums::kInOneRunOnHopper)
    add_in_one_run<kFormat, kTokens>(args, strip, ring, sums);
  else
    add_in_slices<kFormat, kTokens>(args, strip, ring, sums);
  if (!has_strip) return;
#pragma unroll
  for (uint32_t n = 0; n < kTokens / 8; ++n) {
    const float four[4] = {sums[4 * n], sums[4 * n + 1], sums[4 * n + 2], sums[4 * n + 3]};
    finish(args, strip, strip_index, lane / 4, tile.begin + n * 8 + lane % 4 * 2, tile.end, four);
  }
}

#endif

/// Block: eight strips and kTokens rows. Grid: eights of strips, tiles.
template <StripFormat kFormat, uint32_t kTokens, Sums kSums>
__global__ void __launch_bounds__(kThreads, 1) strips_of_warpgroups(ProductArgs args) {
#ifdef GOSSAMER_HAS_WARPGROUPS
  wait_for_kernels_before();
  let_next_kernel_begin();
  using Of = Registers<kTokens, kSums>;
  Tile tile;
  if (!find_tile(args, kTokens, blockIdx.y, tile)) return;
  const Ring<kTokens> ring(shared_memory());
  if (threadIdx.x == 0) ring.init();
  block_barrier();
  if (threadIdx.x < kGroupThreads) {
    give_registers_down_to<Of::kBringer>();
    constexpr uint32_t kVectors = Of::kTwoSets ? 8 : 16;  // of 16 bytes, on their way to a thread
    bring_rows<kFormat, kTokens, kVectors * 16 / kTokens>(args, tile, ring);
  } else {
    take_registers_up_to<Of::kMultiplier>();
    multiply_rows<kFormat, kTokens, kSums>(args, tile, ring);
  }
#endif
}

template <StripFormat kFormat, uint32_t kTokens, Sums kSums>
void start(const ProductArgs& args, uint32_t num_tiles, Stream stream) {
  launch(strips_of_warpgroups<kFormat, kTokens, kSums>,
         dim3((args.shape.num_strips() + kBlockStrips - 1) / kBlockStrips, num_tiles), kThreads, Ring<kTokens>::kBytes,
         stream, args);
}

template <StripFormat kFormat>
void start(const ProductArgs& args, uint32_t tile_rows, uint32_t num_tiles, Stream stream) {
  if constexpr (kFormat != StripFormat::kQ8)
    if (args.sums == Sums::kInOneRunOnHopper) {
      if (tile_rows == 64) return start<kFormat, 64, Sums::kInOneRunOnHopper>(args, num_tiles, stream);
      if (tile_rows == 128) return start<kFormat, 128, Sums::kInOneRunOnHopper>(args, num_tiles, stream);
      return start<kFormat, 256, Sums::kInOneRunOnHopper>(args, num_tiles, stream);
    }
  if (tile_rows == 64) return start<kFormat, 64, Sums::kInSlicesOnHopper>(args, num_tiles, stream);
  return start<kFormat, 128, Sums::kInSlicesOnHopper>(args, num_tiles, stream);
}

}  // namespace

void product_on_hopper(const ProductArgs& args, uint32_t tile_rows, uint32_t num_tiles, Stream stream) {
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
