/// Attention of a tile of tokens of one sequence and one KV head: its pages come into shared memory once, two at a
/// time, for all of the tile. A warp has every fourth token and takes it through all positions, so that keys and values
/// are read from shared memory once for its 2 or 4 tokens, and nothing of a token is exchanged between warps. Every sum
/// is made as attention.cu makes it: a token has the same bits.

#include "kernels/cuda/attention_parts.h"
#include "kernels/cuda/launch.h"

namespace gossamer::kernels::cuda {
namespace {

using namespace attention;

constexpr uint32_t kPiece = 16;            // bytes that are copied at once
constexpr uint32_t kPagePieces = 2 * 256;  // of a page in bf16: keys, then values
constexpr uint32_t kKeyPieces = 256;
constexpr KvLayout kInt8Layout{KvDtype::kInt8, 1, kHeadDim};
constexpr uint32_t kInt8Pieces = static_cast<uint32_t>(kInt8Layout.head_bytes() / kPiece);

/// Two pages as the products read them.
using StepNumbers = uint4[kStepPages][kPagePieces];

template <KvDtype kDtype>
struct Stages;
template <>
struct Stages<KvDtype::kBf16> {
  StepNumbers numbers[2];
};
template <>
struct Stages<KvDtype::kInt8> {
  uint4 bytes[2][kStepPages][kInt8Pieces];  // as they are in the cache
  StepNumbers numbers;
};

template <KvDtype kDtype, uint32_t kTokens>
struct TileShared {
  Stages<kDtype> stages;
  float4 values[kWarps * kTokens][4][32];  // of the chunks so far; [token][part][lane]
  float4 softmax[kWarps * kTokens][4];     // largest, sum; [token][quad]
};

/// A tile's way through a KV head of the cache.
template <KvDtype kDtype>
struct Walk {
  const std::byte* memory;  // of the head
  uint64_t page_bytes;
  const uint32_t* table;
  Range seen;  // by any of its tokens

  /// Begins to copy the pages of a step that somebody sees.
  __device__ __forceinline__ void copy(Stages<kDtype>& stages, uint32_t step) const {
#pragma unroll
    for (uint32_t page = 0; page < kStepPages; ++page) {
      const uint32_t number = step * kStepPages + page;
      if (!seen.meets(number * kKvBlockTokens, kKvBlockTokens)) continue;
      const std::byte* from = memory + table[number] * page_bytes;
      if constexpr (kDtype == KvDtype::kBf16) {
        uint4* to = stages.numbers[step % 2][page] + threadIdx.x;
        from += threadIdx.x * kPiece;
#pragma unroll
        for (uint32_t piece = 0; piece < kPagePieces; piece += kThreads)
          copy_async_16(to + piece, from + piece * kPiece);
      } else {
        for (uint32_t piece = threadIdx.x; piece < kInt8Pieces; piece += kThreads)
          copy_async_16(stages.bytes[step % 2][page] + piece, from + piece * kPiece);
      }
    }
    commit_copies();
  }
};

/// Makes bf16 of a step's bytes, once for all tokens: of a lane's two operands, which stand behind each other, two.
__device__ __forceinline__ void widen_step(Stages<KvDtype::kInt8>& stages, uint32_t step) {
  const uint32_t lane = threadIdx.x % 32;
#pragma unroll
  for (uint32_t page = 0; page < kStepPages; ++page)
#pragma unroll
    for (uint32_t piece = threadIdx.x; piece < kPagePieces / 2; piece += kThreads) {
      const uint4 bytes = stages.bytes[step % 2][page][piece];
      uint4* to = stages.numbers[page] + 2 * (piece - lane) + lane;
      to[0] = widen_eight(bytes.x, bytes.y);
      to[32] = widen_eight(bytes.z, bytes.w);
    }
}

__device__ __forceinline__ KeyRows keys_of(const uint4* numbers, uint32_t half) {
  const uint4* lanes = numbers + 32 * 4 * half + threadIdx.x % 32;
  return {{lanes[0], lanes[32], lanes[64], lanes[96]}};
}
__device__ __forceinline__ ValueRows values_of(const uint4* numbers, uint32_t part) {
  const uint4* lanes = numbers + kKeyPieces + 32 * 2 * part + threadIdx.x % 32;
  return {{lanes[0], lanes[32]}};
}

/// A warp's tokens, and the chunk in work of each.
template <uint32_t kTokens>
struct Lookers {
  uint4 q[kTokens][2];
  uint32_t num_tokens, position, window;  // position of the first; each of the others is kWarps on
  float scale;                            // of scores, times log2 e
  Softmax chunk[kTokens];
  float values[kTokens][4][4];  // [part]

  /// Also where there is no such token: its numbers go nowhere.
  __device__ __forceinline__ Range seen(uint32_t token) const { return seen_from(position + token * kWarps, window); }
  __device__ __forceinline__ void clear(uint32_t token) {
    chunk[token] = Softmax();
    for (uint32_t i = 0; i < 16; ++i) values[token][i / 4][i % 4] = 0;
  }
};

/// A step for the tokens of a warp. Where all of them see all of it, nothing is asked for each.
template <KvDtype kDtype, uint32_t kTokens, bool kAllSeen>
__device__ __forceinline__ void take_step(Lookers<kTokens>& lookers, const StepNumbers& numbers,
                                          const std::byte* const (&scales)[kStepPages], uint32_t step) {
  StepScores scores[kTokens];
#pragma unroll
  for (uint32_t page = 0; page < kStepPages; ++page)
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      const KeyRows keys = keys_of(numbers[page], half);
#pragma unroll
      for (uint32_t i = 0; i < kTokens; ++i) multiply_keys(scores[i][page][half], keys, lookers.q[i]);
    }

  const uint32_t first = step * kStepTokens;
  float largest[kTokens][2];
  bool grows = false;
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
#pragma unroll
    for (uint32_t page = 0; page < kStepPages; ++page)
      finish_scores<kDtype, kAllSeen>(scores[i][page], scales[page], first + page * kKvBlockTokens, lookers.seen(i));
    largest_of_step(scores[i], lookers.scale, largest[i]);
    for (uint32_t head = 0; head < 2; ++head) grows = grows || largest[i][head] > lookers.chunk[i].largest[head];
  }
  if (warp_ballot(grows) != 0) {  // seldom, after the first steps; of a token that does not grow the factor is 1
#pragma unroll
    for (uint32_t i = 0; i < kTokens; ++i) {
      float factor[2];
      advance(lookers.chunk[i], largest[i], factor);
      for (uint32_t head = 0; head < 2; ++head)
        lookers.chunk[i].sum[head] = multiply_alone(lookers.chunk[i].sum[head], factor[head]);
#pragma unroll
      for (uint32_t part = 0; part < 4; ++part) scale_values(lookers.values[i][part], factor);
    }
  }

  uint4 weights[kTokens][kStepPages];
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
    Softmax& chunk = lookers.chunk[i];
    float sums[2];
    weigh(scores[i], lookers.scale, chunk.largest, sums);
    for (uint32_t head = 0; head < 2; ++head) chunk.sum[head] += sums[head];
#pragma unroll
    for (uint32_t page = 0; page < kStepPages; ++page)
      weights[i][page] = operands_of<kDtype>(
          scores[i][page], kDtype == KvDtype::kInt8 ? scales[page] + kInt8Layout.scales_bytes() : nullptr);
  }

#pragma unroll
  for (uint32_t part = 0; part < 4; ++part)
#pragma unroll
    for (uint32_t page = 0; page < kStepPages; ++page) {
      const ValueRows rows = values_of(numbers[page], part);
      const uint32_t first_of_page = first + page * kKvBlockTokens;
#pragma unroll
      for (uint32_t i = 0; i < kTokens; ++i) {
        if constexpr (kAllSeen) {
          add_values(lookers.values[i][part], rows, weights[i][page]);
        } else if (lookers.seen(i).meets(first_of_page, kKvBlockTokens)) {
          ValueRows own = rows;
          hide_behind(own, lookers.seen(i).end - first_of_page);
          add_values(lookers.values[i][part], own, weights[i][page]);
        }
      }
    }
}

template <KvDtype kDtype, uint32_t kTokens>
__device__ __forceinline__ void take_step(Lookers<kTokens>& lookers, Stages<kDtype>& stages, uint32_t step) {
  const std::byte* scales[kStepPages] = {};  // of keys; those of values are behind them
  const StepNumbers* numbers;
  if constexpr (kDtype == KvDtype::kInt8) {
    for (uint32_t page = 0; page < kStepPages; ++page)
      scales[page] = reinterpret_cast<const std::byte*>(stages.bytes[step % 2][page]) + kInt8Layout.key_scales(0);
    numbers = &stages.numbers;
  } else {
    numbers = &stages.numbers[step % 2];
  }
  if (lookers.num_tokens == 0) return;
  const uint32_t first = step * kStepTokens;
  const Range earliest = lookers.seen(0), latest = lookers.seen(kTokens - 1);
  if (first + kStepTokens <= earliest.begin) return;
  if (first >= latest.begin && first + kStepTokens <= earliest.end)
    take_step<kDtype, kTokens, true>(lookers, *numbers, scales, step);
  else
    take_step<kDtype, kTokens, false>(lookers, *numbers, scales, step);
}

/// What a block has of its tile: token i of it is the warp i % 4's.
struct Tile {
  AttendTile tokens;
  uint32_t number, kv_head;
};

/// Adds the chunk at hand of a warp's tokens to those before it.
template <KvDtype kDtype, uint32_t kTokens>
__device__ __forceinline__ void end_chunk(uint32_t chunk, Lookers<kTokens>& lookers,
                                          TileShared<kDtype, kTokens>& shared) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, quad = lane % 4;
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
    const Range seen = lookers.seen(i);
    const uint32_t place = i * kWarps + warp;
    if (chunk < seen.first_chunk() || chunk > seen.last_chunk()) continue;
    Softmax& next = lookers.chunk[i];
    for (uint32_t head = 0; head < 2; ++head) next.sum[head] = over_groups_sum(next.sum[head]);
    warp_barrier();  // the softmax of the chunk before was written
    const float4 before = shared.softmax[place][quad];
    Softmax all{{before.x, before.y}, {before.z, before.w}};
    const Merge merge = append(all, next);
    warp_barrier();  // and was read
    if (lane < 4) shared.softmax[place][quad] = {all.largest[0], all.largest[1], all.sum[0], all.sum[1]};
#pragma unroll
    for (uint32_t part = 0; part < 4; ++part) {
      const float4 read = shared.values[place][part][lane];
      float values[4] = {read.x, read.y, read.z, read.w};
      append_values(values, lookers.values[i][part], merge);
      shared.values[place][part][lane] = {values[0], values[1], values[2], values[3]};
    }
    lookers.clear(i);
  }
}

/// The only chunk of this block, for those who join them.
template <uint32_t kTokens>
__device__ __forceinline__ void write_chunk(const AttendOp& args, const Tile& tile, uint32_t chunk,
                                            Lookers<kTokens>& lookers) {
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
    const Range seen = lookers.seen(i);
    if (i >= lookers.num_tokens || chunk < seen.first_chunk() || chunk > seen.last_chunk()) continue;
    const uint32_t place = (tile.number * kTokens + i) * kWarps + threadIdx.x / 32;
    float* partial = partial_of(args, place, tile.kv_head, chunk - seen.first_chunk());
    Softmax& softmax = lookers.chunk[i];
    for (uint32_t head = 0; head < 2; ++head) softmax.sum[head] = over_groups_sum(softmax.sum[head]);
    write_partial(partial, softmax);
#pragma unroll
    for (uint32_t part = 0; part < 4; ++part) write_partial(partial, part, lookers.values[i][part]);
  }
}

/// Block: a KV head and a tile, chunk after chunk; or one of its chunks, where args.partial is not null.
template <KvDtype kDtype, uint32_t kTokens>
__global__ void __launch_bounds__(kThreads, kTokens > 2 ? 2 : 3)
    attend_tile_kernel(AttendOp args, const AttendTile* tiles) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  Tile tile{tiles[blockIdx.y], blockIdx.y, blockIdx.x};
  auto& shared = *static_cast<TileShared<kDtype, kTokens>*>(shared_memory());
  const uint32_t position = args.places.positions[tile.tokens.first];
  const KvLayout layout{kDtype, args.cache.kv_heads, kHeadDim};
  const Walk<kDtype> walk{args.cache.memory + layout.keys(tile.kv_head),
                          args.cache.page_bytes,
                          args.places.pages + args.places.table_begin[tile.tokens.first],
                          {seen_from(position, args.window).begin, position + tile.tokens.count}};
  uint32_t step = walk.seen.begin / kStepTokens, last = (walk.seen.end - 1) / kStepTokens;
  if (args.partial) {
    const uint32_t chunk = walk.seen.first_chunk() + blockIdx.z;
    if (chunk > walk.seen.last_chunk()) return;
    step = step > chunk * kChunkSteps ? step : chunk * kChunkSteps;
    last = last < chunk * kChunkSteps + kChunkSteps - 1 ? last : chunk * kChunkSteps + kChunkSteps - 1;
  }
  walk.copy(shared.stages, step);

  Lookers<kTokens> lookers;
  lookers.num_tokens = (tile.tokens.count + kWarps - 1 - warp) / kWarps;
  lookers.position = position + warp;
  lookers.window = args.window;
  lookers.scale = multiply_alone(args.scale, kLog2E);
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
    const uint32_t place = i * kWarps + warp;
    lookers.clear(i);
    lookers.q[i][0] = lookers.q[i][1] = {0, 0, 0, 0};
    if (i < lookers.num_tokens) read_queries(args, tile.tokens.first + place, tile.kv_head, lookers.q[i]);
    if (lane < 4) shared.softmax[place][lane] = {kNothing, kNothing, 0, 0};
#pragma unroll
    for (uint32_t part = 0; part < 4; ++part) shared.values[place][part][lane] = {0, 0, 0, 0};
  }
  for (; step <= last; ++step) {
    wait_for_copies<0>();
    block_barrier();  // everybody's copies are there, and nobody reads the step before
    if (step < last) walk.copy(shared.stages, step + 1);
    if constexpr (kDtype == KvDtype::kInt8) {
      widen_step(shared.stages, step);
      block_barrier();
    }
    take_step<kDtype, kTokens>(lookers, shared.stages, step);
    if (!args.partial && (step % kChunkSteps == kChunkSteps - 1 || step == last))
      end_chunk(step / kChunkSteps, lookers, shared);
  }
  tile.tokens = tiles[blockIdx.y];  // once more: over the loop there are no registers for it
  if (args.partial) return write_chunk(args, tile, last / kChunkSteps, lookers);
#pragma unroll
  for (uint32_t i = 0; i < kTokens; ++i) {
    const uint32_t place = i * kWarps + warp;
    if (i >= lookers.num_tokens) continue;
    warp_barrier();
    const float4 softmax = shared.softmax[place][lane % 4];
    float shares[2];
    shares_of(args, tile.kv_head, {{softmax.x, softmax.y}, {softmax.z, softmax.w}}, shares);
#pragma unroll
    for (uint32_t part = 0; part < 4; ++part) {
      const float4 read = shared.values[place][part][lane];
      const float values[4] = {read.x, read.y, read.z, read.w};
      write_values(args, tile.tokens.first + place, tile.kv_head, part, values, shares);
    }
  }
}

/// Block: a token of a tile and a KV head.
__global__ void __launch_bounds__(kThreads)
    join_tile_chunks(AttendOp args, const AttendTile* tiles, uint32_t tile_tokens) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const AttendTile tile = tiles[blockIdx.x / tile_tokens];
  const uint32_t token = blockIdx.x % tile_tokens;
  if (token < tile.count) join_token(args, tile.first + token, blockIdx.x, blockIdx.y);
}

template <KvDtype kDtype, uint32_t kTokens>
void start(const AttendTilesOp& op, Stream stream) {
  const uint32_t kv_heads = op.args.cache.kv_heads;
  // A tile may reach into one chunk more than any token of it.
  const uint32_t chunks = op.args.partial ? op.args.max_chunks + 1 : 1;
  launch(attend_tile_kernel<kDtype, kTokens>, dim3(kv_heads, op.num_tiles, chunks), kThreads,
         sizeof(TileShared<kDtype, kTokens>), stream, op.args, op.tiles);
  if (op.args.partial)
    launch(join_tile_chunks, dim3(op.num_tiles * op.tile_tokens, kv_heads), kThreads, 0, stream, op.args, op.tiles,
           op.tile_tokens);
}

}  // namespace

void attend_tiles(const AttendTilesOp& op, Stream stream) {
  constexpr uint32_t kFew = kFewTileTokens / kWarps, kMany = kManyTileTokens / kWarps;
  const bool few = op.tile_tokens == kFewTileTokens, int8 = op.args.cache.dtype == KvDtype::kInt8;
  if (op.num_tiles == 0) return;
  if (int8) return few ? start<KvDtype::kInt8, kFew>(op, stream) : start<KvDtype::kInt8, kMany>(op, stream);
  return few ? start<KvDtype::kBf16, kFew>(op, stream) : start<KvDtype::kBf16, kMany>(op, stream);
}

}  // namespace gossamer::kernels::cuda
