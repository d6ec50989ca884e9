#pragma once
/// What attention of one token (attention.cu) and of a tile of tokens (attention_prefill.cu) have in common: the order
/// of every sum, so that a token has the same bits from either.
///
/// Positions are taken in chunks of 256 counted from 0, a chunk in steps of 64, which are two pages. Within a chunk the
/// largest score grows from step to step; what was added up before is then scaled down, and the step's weights are
/// relative to the largest so far. Chunks are added up in order, each from zero.
///
/// On the tensor cores keys are the 16 rows and the (up to 8) query heads of one token the 8 columns, so that a single
/// token fills an instruction; values likewise, their dimensions as rows. A lane is 4 group + quad; sums of heads
/// 2 quad and 2 quad + 1 are with it.

#include "kernels/cuda/device.h"
#include "kernels/cuda/kv_order.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda::attention {

inline constexpr uint32_t kHeadDim = 64;
inline constexpr uint32_t kHeads = 8;  // columns of an instruction: query heads of a KV head, at most
inline constexpr uint32_t kWarps = 4;
inline constexpr uint32_t kThreads = kWarps * 32;
inline constexpr uint32_t kStepPages = 2;
inline constexpr uint32_t kStepTokens = kStepPages * kKvBlockTokens;
inline constexpr uint32_t kChunkSteps = 4;
inline constexpr uint32_t kChunkPages = kChunkSteps * kStepPages;
inline constexpr uint32_t kChunkTokens = kChunkSteps * kStepTokens;
inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kNothing = -1e30f;  // a maximum over nothing: differences of it stay numbers
inline constexpr float kUnseen = -1e38f;   // a score that weighs nothing, whatever the maximum

/// Positions [begin, end) that a token sees.
struct Range {
  uint32_t begin, end;

  __device__ __forceinline__ bool has(uint32_t position) const { return position >= begin && position < end; }
  /// Some of `count` positions from `first` on.
  __device__ __forceinline__ bool meets(uint32_t first, uint32_t count) const {
    return first < end && first + count > begin;
  }
  __device__ __forceinline__ uint32_t first_chunk() const { return begin / kChunkTokens; }
  __device__ __forceinline__ uint32_t last_chunk() const { return (end - 1) / kChunkTokens; }
};
__device__ __forceinline__ Range seen_from(uint32_t position, uint32_t window) {
  const uint32_t end = position + 1;
  return {window > 0 && end > window ? end - window : 0, end};
}

/// Softmax over some positions, kept without its division: weights are relative to 2^largest. Of a lane's two heads.
struct Softmax {
  float largest[2] = {kNothing, kNothing};
  float sum[2] = {0, 0};
};

/// Scores or weights of a lane in a step: [page][half of it][rows group, group + 8 by two heads].
using StepScores = float[kStepPages][2][4];

/// Two of a word's signed bytes, from `which`'s on, as bf16. 0x4300 + b is 128 + b up to b = 127, and 256 at b = 128.
__device__ __forceinline__ uint32_t widen_two(uint32_t word, uint32_t first) {
  const uint32_t both = select_bytes(word, 0x43434343u, first == 0 ? 0x4140 : 0x4342);
  return subtract_bf16(both & 0xff7fff7fu, both & 0xff80ff80u);
}
__device__ __forceinline__ uint4 widen_eight(uint32_t low, uint32_t high) {
  return {widen_two(low, 0), widen_two(low, 2), widen_two(high, 0), widen_two(high, 2)};
}

__device__ __forceinline__ float scale_at(const std::byte* scales, uint32_t slot) {
  return low_bf16(reinterpret_cast<const uint16_t*>(scales)[slot]);
}

/// Left operands as the cache has them (kv_order.h).
__device__ __forceinline__ void multiply_add(float (&sums)[4], const uint4& left, uint32_t right0, uint32_t right1) {
  const uint32_t operand[4] = {left.x, left.y, left.z, left.w};
  mma_bf16(sums, operand, right0, right1);
}
/// 16 keys: their 64 dimensions in four instructions.
struct KeyRows {
  uint4 operand[4];
};
/// 16 dimensions of a page's values: its 32 positions in two.
struct ValueRows {
  uint4 operand[2];
};

/// A token's queries as right operands: of head `group`, dimensions 16 quad .. 16 quad + 15. Zeros where there is no
/// head.
__device__ __forceinline__ void read_queries(const AttendOp& args, uint32_t token, uint32_t kv_head, uint4 (&q)[2]) {
  const uint32_t lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const uint32_t heads = args.num_heads / args.cache.kv_heads;
  q[0] = q[1] = {0, 0, 0, 0};
  if (group >= heads) return;
  const uint16_t* query = args.q + (uint64_t{token} * args.num_heads + kv_head * heads + group) * kHeadDim;
  for (uint32_t i = 0; i < 2; ++i) q[i] = reinterpret_cast<const uint4*>(query + 16 * quad)[i];
}

/// Of 16 keys with a token's queries.
__device__ __forceinline__ void multiply_keys(float (&scores)[4], const KeyRows& keys, const uint4 (&q)[2]) {
  const uint4 first = keys.operand[0];
  const uint32_t operand[4] = {first.x, first.y, first.z, first.w};
  mma_bf16_from_zero(scores, operand, q[0].x, q[0].y);
  multiply_add(scores, keys.operand[1], q[0].z, q[0].w);
  multiply_add(scores, keys.operand[2], q[1].x, q[1].y);
  multiply_add(scores, keys.operand[3], q[1].z, q[1].w);
}

/// Scores of a page: times their keys' scales (int8), and nothing where the token does not see.
template <KvDtype kDtype, bool kSeesAll = false>
__device__ __forceinline__ void finish_scores(float (&scores)[2][4], const std::byte* key_scales, uint32_t first,
                                              const Range& seen) {
  const uint32_t group = threadIdx.x % 32 / 4;
#pragma unroll
  for (uint32_t i = 0; i < 8; ++i) {
    float& score = scores[i / 4][i % 4];
    const uint32_t slot = 8 * (i / 2) + group;
    if constexpr (kDtype == KvDtype::kInt8) score = multiply_alone(score, scale_at(key_scales, slot));
    if constexpr (!kSeesAll) score = seen.has(first + slot) ? score : kUnseen;
  }
}

__device__ __forceinline__ float over_groups_max(float value) {
  for (uint32_t mask = 4; mask < 32; mask *= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}
__device__ __forceinline__ float over_groups_sum(float value) {
  for (uint32_t mask = 4; mask < 32; mask *= 2) value += shuffle_xor(value, mask);
  return value;
}

/// The largest score of a step, of each of the lane's heads, in powers of two.
__device__ __forceinline__ void largest_of_step(const StepScores& scores, float scale, float (&largest)[2]) {
#pragma unroll
  for (uint32_t head = 0; head < 2; ++head) {
    float most = fmaxf(scores[0][0][head], scores[0][0][2 + head]);
#pragma unroll
    for (uint32_t i = 1; i < 4; ++i)
      most = fmaxf(most, fmaxf(scores[i / 2][i % 2][head], scores[i / 2][i % 2][2 + head]));
    largest[head] = multiply_alone(over_groups_max(most), scale);
  }
}

/// The chunk's largest score with one more step; what was added up before, weights too, is to be multiplied by
/// `factor`.
__device__ __forceinline__ void advance(Softmax& chunk, const float (&of_step)[2], float (&factor)[2]) {
#pragma unroll
  for (uint32_t head = 0; head < 2; ++head) {
    const float largest = fmaxf(chunk.largest[head], of_step[head]);
    factor[head] = exp2_fast(chunk.largest[head] - largest);
    chunk.largest[head] = largest;
  }
}

/// Makes weights of scores, and gives the lane's sums of them.
__device__ __forceinline__ void weigh(StepScores& scores, float scale, const float (&largest)[2], float (&sums)[2]) {
#pragma unroll
  for (uint32_t i = 0; i < 16; ++i) {
    float& score = scores[i / 8][i / 4 % 2][i % 4];
    score = exp2_fast(fmaf(score, scale, -largest[i % 2]));
  }
#pragma unroll
  for (uint32_t head = 0; head < 2; ++head) {
    float of_page[kStepPages];
    for (uint32_t page = 0; page < kStepPages; ++page)
      of_page[page] =
          (scores[page][0][head] + scores[page][0][2 + head]) + (scores[page][1][head] + scores[page][1][2 + head]);
    sums[head] = of_page[0] + of_page[1];
  }
}

/// Weights of a page as right operands: of head `group`, positions 8 block + 2 quad and the next, of four blocks.
template <KvDtype kDtype>
__device__ __forceinline__ uint4 operands_of(const float (&weights)[2][4], const std::byte* value_scales) {
  const uint32_t group = threadIdx.x % 32 / 4;
  uint32_t pairs[4];
#pragma unroll
  for (uint32_t block = 0; block < 4; ++block) {
    float first = weights[block / 2][block % 2 * 2], second = weights[block / 2][block % 2 * 2 + 1];
    if constexpr (kDtype == KvDtype::kInt8) {
      const float scale = scale_at(value_scales, 8 * block + group);  // behind the end: whatever was there
      first = first > 0 ? multiply_alone(first, scale) : 0;
      second = second > 0 ? multiply_alone(second, scale) : 0;
    }
    pairs[block] = transpose_8x8(pack_bf16(first, second));
  }
  return {pairs[0], pairs[1], pairs[2], pairs[3]};
}

/// Behind a token's last position is whatever was there, and zero times that may be NaN.
__device__ __forceinline__ void hide_behind(ValueRows& rows, uint32_t num_valid) {
  if (num_valid >= kKvBlockTokens) return;
  const uint32_t quad = threadIdx.x % 4;
#pragma unroll
  for (uint32_t block = 0; block < 4; ++block) {
    const uint32_t slot = 8 * block + 2 * quad;
    const uint32_t keep = slot + 1 < num_valid ? 0xffffffffu : slot < num_valid ? 0xffffu : 0u;
    uint4& operand = rows.operand[block / 2];
    (block % 2 == 0 ? operand.x : operand.z) &= keep;
    (block % 2 == 0 ? operand.y : operand.w) &= keep;
  }
}

/// values [16 dimensions by the lane's heads] += weighted values of a page.
__device__ __forceinline__ void add_values(float (&values)[4], const ValueRows& rows, const uint4& weights) {
  multiply_add(values, rows.operand[0], weights.x, weights.y);
  multiply_add(values, rows.operand[1], weights.z, weights.w);
}

/// values, whose columns are the lane's heads, times a factor of each.
__device__ __forceinline__ void scale_values(float (&values)[4], const float (&factor)[2]) {
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) values[i] = multiply_alone(values[i], factor[i % 2]);
}

/// all = all and next, in this order; values follow by append_values().
struct Merge {
  float all[2], next[2];  // factors
};
__device__ __forceinline__ Merge append(Softmax& all, const Softmax& next) {
  Merge merge;
#pragma unroll
  for (uint32_t head = 0; head < 2; ++head) {
    const float largest = fmaxf(all.largest[head], next.largest[head]);
    merge.all[head] = exp2_fast(all.largest[head] - largest);
    merge.next[head] = exp2_fast(next.largest[head] - largest);
    all.sum[head] = fmaf(next.sum[head], merge.next[head], multiply_alone(all.sum[head], merge.all[head]));
    all.largest[head] = largest;
  }
  return merge;
}
__device__ __forceinline__ void append_values(float (&all)[4], const float (&next)[4], const Merge& merge) {
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) all[i] = fmaf(next[i], merge.next[i % 2], multiply_alone(all[i], merge.all[i % 2]));
}

/// What values are multiplied by in the end: one over the sum of weights, the sink's among them.
__device__ __forceinline__ void shares_of(const AttendOp& args, uint32_t kv_head, const Softmax& all,
                                          float (&shares)[2]) {
  const uint32_t heads = args.num_heads / args.cache.kv_heads, quad = threadIdx.x % 4;
#pragma unroll
  for (uint32_t i = 0; i < 2; ++i) {
    const uint32_t head = 2 * quad + i;
    const float sink = head < heads ? multiply_alone(args.sinks[kv_head * heads + head], kLog2E) : 0;
    const float largest = fmaxf(all.largest[i], sink), factor = exp2_fast(all.largest[i] - largest);
    shares[i] = factor / fmaf(all.sum[i], factor, exp2_fast(sink - largest));
  }
}

/// Writes 16 dimensions, 16 part and on, of a token.
__device__ __forceinline__ void write_values(const AttendOp& args, uint32_t token, uint32_t kv_head, uint32_t part,
                                             const float (&values)[4], const float (&shares)[2]) {
  const uint32_t lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const uint32_t heads = args.num_heads / args.cache.kv_heads;
#pragma unroll
  for (uint32_t below = 0; below < 2; ++below) {
    const float first = multiply_alone(values[2 * below], shares[0]);
    const float second = multiply_alone(values[2 * below + 1], shares[1]);
    const uint32_t pair = transpose_8x8(args.to_f16 ? pack_f16(first, second) : pack_bf16(first, second));
    if (group >= heads) continue;
    uint16_t* out = args.out + (uint64_t{token} * args.num_heads + kv_head * heads + group) * kHeadDim;
    *reinterpret_cast<uint32_t*>(out + 16 * part + 8 * below + 2 * quad) = pair;
  }
}

/// A chunk's sums on the way from the block that has it to the one that joins them: values [4 parts][lane][4], then
/// largest [8] and sum [8]. `place` counts the tokens of the launch.
__device__ __forceinline__ float* partial_of(const AttendOp& args, uint32_t place, uint32_t kv_head, uint32_t chunk) {
  return args.partial + ((uint64_t{place} * args.cache.kv_heads + kv_head) * args.max_chunks + chunk) * kPartialFloats;
}
__device__ __forceinline__ void write_partial(float* partial, uint32_t part, const float (&values)[4]) {
  reinterpret_cast<float4*>(partial)[part * 32 + threadIdx.x % 32] = {values[0], values[1], values[2], values[3]};
}
__device__ __forceinline__ void write_partial(float* partial, const Softmax& softmax) {
  const uint32_t lane = threadIdx.x % 32;
  if (lane >= 4) return;
#pragma unroll
  for (uint32_t i = 0; i < 2; ++i) {
    partial[kHeads * kHeadDim + 2 * lane + i] = softmax.largest[i];
    partial[kHeads * kHeadDim + kHeads + 2 * lane + i] = softmax.sum[i];
  }
}

/// Adds up a token's chunks that blocks computed alone. Warp: 16 dimensions.
__device__ __forceinline__ void join_token(const AttendOp& args, uint32_t token, uint32_t place, uint32_t kv_head) {
  const uint32_t lane = threadIdx.x % 32, part = threadIdx.x / 32, quad = lane % 4;
  const Range seen = seen_from(args.places.positions[token], args.window);
  const uint32_t num_chunks = seen.last_chunk() - seen.first_chunk() + 1;
  Softmax all;
  float values[4] = {0, 0, 0, 0};
  for (uint32_t chunk = 0; chunk < num_chunks; ++chunk) {
    const float* partial = partial_of(args, place, kv_head, chunk);
    const float4 read = reinterpret_cast<const float4*>(partial)[part * 32 + lane];
    const float next_values[4] = {read.x, read.y, read.z, read.w};
    Softmax next;
#pragma unroll
    for (uint32_t i = 0; i < 2; ++i) {
      next.largest[i] = partial[kHeads * kHeadDim + 2 * quad + i];
      next.sum[i] = partial[kHeads * kHeadDim + kHeads + 2 * quad + i];
    }
    append_values(values, next_values, append(all, next));
  }
  float shares[2];
  shares_of(args, kv_head, all, shares);
  write_values(args, token, kv_head, part, values, shares);
}

}  // namespace gossamer::kernels::cuda::attention
