/// Attention of one token and one KV head with all query heads that read it. On the tensor cores keys are the 16 rows
/// and the (up to 8) query heads the 8 columns, so that a single token fills an instruction; values likewise, their
/// dimensions as rows. What a page holds of a head: keys [32][64], values [64][32], so that a lane reads 16 bytes of
/// either.

#include "kernels/cuda/launch.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kHeads = 8;  // columns of an instruction: query heads of a KV head, at most
constexpr uint32_t kWarps = 4;  // each takes two pages of a chunk
constexpr uint32_t kThreads = kWarps * 32;
constexpr uint32_t kChunkTokens = 256;
constexpr uint32_t kChunkPages = kChunkTokens / kKvBlockTokens;
constexpr uint32_t kPagesOfWarp = kChunkPages / kWarps;
constexpr float kLog2E = 1.44269504f;
constexpr float kNothing = -1e30f;  // a maximum over nothing: differences of it stay numbers

struct Shared {
  float largest[kWarps][kHeads];
  float sum[kWarps][kHeads];
  float values[kWarps][kHeads][kHeadDim];            // of each warp's pages
  uint16_t weights[kWarps][kHeads][kKvBlockTokens];  // of a page, bf16
};

/// Softmax over some positions, kept without its division: weights relative to e^largest.
struct State {
  float largest, sum;
};

/// Eight stored numbers as four pairs of bf16.
template <KvDtype kDtype>
__device__ __forceinline__ uint4 read_eight(const std::byte* numbers, uint32_t at) {
  if constexpr (kDtype == KvDtype::kBf16) return *reinterpret_cast<const uint4*>(numbers + 2 * at);
  const uint2 bytes = *reinterpret_cast<const uint2*>(numbers + at);
  const auto number = [](uint32_t word, uint32_t i) { return static_cast<float>(static_cast<int8_t>(word >> 8 * i)); };
  return {pack_bf16(number(bytes.x, 0), number(bytes.x, 1)), pack_bf16(number(bytes.x, 2), number(bytes.x, 3)),
          pack_bf16(number(bytes.y, 0), number(bytes.y, 1)), pack_bf16(number(bytes.y, 2), number(bytes.y, 3))};
}
__device__ __forceinline__ float scale_at(const std::byte* scales, uint32_t slot) {
  return low_bf16(reinterpret_cast<const uint16_t*>(scales)[slot]);
}

/// One token's view: its queries as right operands, and where it looks.
struct Looker {
  uint4 q[2];           // of head g: numbers 16 quad .. 16 quad + 15
  uint32_t begin, end;  // positions it sees
  float scale;          // of scores, times log2 e
};

/// Scores of the 32 positions of a page, in powers of two: [16 positions each][rows g, g + 8 by heads 2 quad, 2 quad +
/// 1].
template <KvDtype kDtype>
__device__ __forceinline__ void score_page(const Looker& looker, const std::byte* block, const KvLayout& layout,
                                           uint32_t kv_head, uint32_t first_position, float (&scores)[2][4]) {
  const uint32_t lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const std::byte* keys = block + layout.keys(kv_head);
#pragma unroll
  for (uint32_t half = 0; half < 2; ++half) {
    float sums[4] = {0, 0, 0, 0};
#pragma unroll
    for (uint32_t part = 0; part < 2; ++part) {  // eight numbers of every quad, two instructions
      const uint4 above = read_eight<kDtype>(keys, (16 * half + group) * kHeadDim + 16 * quad + 8 * part);
      const uint4 below = read_eight<kDtype>(keys, (16 * half + group + 8) * kHeadDim + 16 * quad + 8 * part);
      const uint32_t first[4] = {above.x, below.x, above.y, below.y}, second[4] = {above.z, below.z, above.w, below.w};
      mma_bf16(sums, first, looker.q[part].x, looker.q[part].y);
      mma_bf16(sums, second, looker.q[part].z, looker.q[part].w);
    }
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t slot = 16 * half + group + 8 * (i / 2), position = first_position + slot;
      float factor = looker.scale;
      if constexpr (kDtype == KvDtype::kInt8) factor *= scale_at(block + layout.key_scales(kv_head), slot);
      const bool sees = position >= looker.begin && position < looker.end;
      scores[half][i] = sees ? sums[i] * factor : kNothing;
    }
  }
}

/// The largest of this lane's two heads over all positions of the warp.
__device__ __forceinline__ float over_groups_max(float value) {
  for (uint32_t mask = 4; mask < 32; mask *= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}
__device__ __forceinline__ float over_groups_sum(float value) {
  for (uint32_t mask = 4; mask < 32; mask *= 2) value += shuffle_xor(value, mask);
  return value;
}

/// values += weighted values of a page: [16 dimensions each][rows g, g + 8 by heads 2 quad, 2 quad + 1].
template <KvDtype kDtype>
__device__ __forceinline__ void add_page(const std::byte* block, const KvLayout& layout, uint32_t kv_head,
                                         const uint16_t (&weights)[kHeads][kKvBlockTokens], uint32_t num_valid,
                                         float (&values)[4][4]) {
  const uint32_t lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const uint4 w = *reinterpret_cast<const uint4*>(&weights[group][8 * quad]);
  const std::byte* numbers = block + layout.values(kv_head);
#pragma unroll
  for (uint32_t part = 0; part < 4; ++part) {
    uint4 above = read_eight<kDtype>(numbers, (16 * part + group) * kKvBlockTokens + 8 * quad);
    uint4 below = read_eight<kDtype>(numbers, (16 * part + group + 8) * kKvBlockTokens + 8 * quad);
    if (num_valid < kKvBlockTokens) {  // behind the last position is whatever was there: zero times that may be NaN
      uint32_t* const words[2][4] = {{&above.x, &above.y, &above.z, &above.w},
                                     {&below.x, &below.y, &below.z, &below.w}};
      for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t slot = 8 * quad + 2 * i;
        const uint32_t keep = slot + 1 < num_valid ? 0xffffffffu : slot < num_valid ? 0xffffu : 0u;
        *words[0][i] &= keep;
        *words[1][i] &= keep;
      }
    }
    const uint32_t first[4] = {above.x, below.x, above.y, below.y}, second[4] = {above.z, below.z, above.w, below.w};
    mma_bf16(values[part], first, w.x, w.y);
    mma_bf16(values[part], second, w.z, w.w);
  }
}

/// One chunk by the whole block: afterwards every thread has what it must know of its output head and dimensions.
/// Thread i of the block has head i / 16 and the dimensions 4 (i % 16) .. + 3.
template <KvDtype kDtype>
__device__ __forceinline__ State attend_chunk(const AttendOp& args, const Looker& looker, const uint32_t* table,
                                              uint32_t chunk, uint32_t kv_head, Shared& shared, float4& out) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, quad = lane % 4;
  const KvLayout layout{kDtype, args.cache.kv_heads, kHeadDim};
  float scores[kPagesOfWarp][2][4];
  const std::byte* blocks[kPagesOfWarp];
  float largest[2] = {kNothing, kNothing};
#pragma unroll
  for (uint32_t p = 0; p < kPagesOfWarp; ++p) {
    const uint32_t page = chunk * kChunkPages + warp * kPagesOfWarp + p, first = page * kKvBlockTokens;
    blocks[p] = nullptr;
    if (first >= looker.end || first + kKvBlockTokens <= looker.begin) continue;
    blocks[p] = args.cache.memory + table[page] * args.cache.page_bytes;
    score_page<kDtype>(looker, blocks[p], layout, kv_head, first, scores[p]);
    for (uint32_t i = 0; i < 8; ++i) largest[i % 2] = fmaxf(largest[i % 2], scores[p][i / 4][i % 4]);
  }
  for (uint32_t head = 0; head < 2; ++head) {
    largest[head] = over_groups_max(largest[head]);
    if (group == 0) shared.largest[warp][2 * quad + head] = largest[head];
  }
  block_barrier();
  for (uint32_t head = 0; head < 2; ++head)
    for (uint32_t w = 0; w < kWarps; ++w) largest[head] = fmaxf(largest[head], shared.largest[w][2 * quad + head]);

  float sums[2] = {0, 0}, values[4][4] = {};
#pragma unroll
  for (uint32_t p = 0; p < kPagesOfWarp; ++p) {
    if (!blocks[p]) continue;
    const uint32_t first = (chunk * kChunkPages + warp * kPagesOfWarp + p) * kKvBlockTokens;
    warp_barrier();  // the weights of the page before were read
#pragma unroll
    for (uint32_t i = 0; i < 8; ++i) {
      const uint32_t slot = 16 * (i / 4) + group + 8 * (i % 4 / 2), head = i % 2;
      const float score = scores[p][i / 4][i % 4];
      float weight = score > kNothing ? exp2_fast(score - largest[head]) : 0;
      sums[head] += weight;
      if constexpr (kDtype == KvDtype::kInt8)
        weight = weight > 0 ? weight * scale_at(blocks[p] + layout.value_scales(kv_head), slot) : 0;
      shared.weights[warp][2 * quad + head][slot] = static_cast<uint16_t>(pack_bf16(weight, 0));
    }
    warp_barrier();
    const uint32_t valid = looker.end - first < kKvBlockTokens ? looker.end - first : kKvBlockTokens;
    add_page<kDtype>(blocks[p], layout, kv_head, shared.weights[warp], valid, values);
  }
  for (uint32_t head = 0; head < 2; ++head) {
    const float sum = over_groups_sum(sums[head]);
    if (group == 0) shared.sum[warp][2 * quad + head] = sum;
  }
  for (uint32_t part = 0; part < 4; ++part)
    for (uint32_t i = 0; i < 4; ++i)
      shared.values[warp][2 * quad + i % 2][16 * part + group + 8 * (i / 2)] = values[part][i];
  block_barrier();

  const uint32_t head = threadIdx.x / 16, dim = threadIdx.x % 16 * 4;
  State state{kNothing, 0};
  out = {0, 0, 0, 0};
  for (uint32_t w = 0; w < kWarps; ++w) {
    state.largest = fmaxf(state.largest, shared.largest[w][head]);
    state.sum += shared.sum[w][head];
    const float4 of_warp = *reinterpret_cast<const float4*>(&shared.values[w][head][dim]);
    out = {out.x + of_warp.x, out.y + of_warp.y, out.z + of_warp.z, out.w + of_warp.w};
  }
  block_barrier();  // shared memory is written again by the next chunk
  return state;
}

/// all = all and next, in this order.
__device__ __forceinline__ void append(State& all, float4& values, const State& next, const float4& next_values) {
  const float largest = fmaxf(all.largest, next.largest);
  const float a = exp2_fast(all.largest - largest), b = exp2_fast(next.largest - largest);
  values = {values.x * a + next_values.x * b, values.y * a + next_values.y * b, values.z * a + next_values.z * b,
            values.w * a + next_values.w * b};
  all = {largest, all.sum * a + next.sum * b};
}

/// Divides by the sum of weights, the sink's among them, and writes what a thread has of its head.
__device__ __forceinline__ void write_out(const AttendOp& args, uint32_t token, uint32_t kv_head, const State& state,
                                          const float4& values) {
  const uint32_t heads = args.num_heads / args.cache.kv_heads, head = threadIdx.x / 16, dim = threadIdx.x % 16 * 4;
  if (head >= heads) return;
  const uint32_t q_head = kv_head * heads + head;
  const float sink = args.sinks[q_head] * kLog2E, largest = fmaxf(state.largest, sink);
  const float factor = exp2_fast(state.largest - largest);
  const float share = factor / (state.sum * factor + exp2_fast(sink - largest));
  auto* out = reinterpret_cast<uint2*>(args.out + (uint64_t{token} * args.num_heads + q_head) * kHeadDim + dim);
  const float x = values.x * share, y = values.y * share, z = values.z * share, w = values.w * share;
  *out = args.to_f16 ? uint2{pack_f16(x, y), pack_f16(z, w)} : uint2{pack_bf16(x, y), pack_bf16(z, w)};
}

__device__ __forceinline__ Looker look(const AttendOp& args, uint32_t token, uint32_t kv_head) {
  const uint32_t lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const uint32_t heads = args.num_heads / args.cache.kv_heads, end = args.places.positions[token] + 1;
  Looker looker{{{0, 0, 0, 0}, {0, 0, 0, 0}},
                args.window > 0 && end > args.window ? end - args.window : 0,
                end,
                args.scale * kLog2E};
  if (group < heads) {
    const auto* q = reinterpret_cast<const uint4*>(
        args.q + (uint64_t{token} * args.num_heads + kv_head * heads + group) * kHeadDim + 16 * quad);
    looker.q[0] = q[0];
    looker.q[1] = q[1];
  }
  return looker;
}

/// Block: a token and a KV head, chunk after chunk; or one of its chunks, where args.partial is not null.
template <KvDtype kDtype>
__global__ void __launch_bounds__(kThreads) attend_kernel(AttendOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x, kv_head = blockIdx.y;
  Shared& shared = *static_cast<Shared*>(shared_memory());
  const Looker looker = look(args, token, kv_head);
  const uint32_t* table = args.places.pages + args.places.table_begin[token];
  const uint32_t first = looker.begin / kChunkTokens, last = (looker.end - 1) / kChunkTokens;
  if (args.partial) {
    const uint32_t chunk = first + blockIdx.z;
    if (chunk > last) return;
    float4 values;
    const State state = attend_chunk<kDtype>(args, looker, table, chunk, kv_head, shared, values);
    float* partial = args.partial + ((uint64_t{token} * args.cache.kv_heads + kv_head) * args.max_chunks + blockIdx.z) *
                                        kPartialFloats;
    const uint32_t head = threadIdx.x / 16;
    reinterpret_cast<float4*>(partial)[threadIdx.x] = values;
    if (threadIdx.x % 16 == 0) {
      partial[kHeads * kHeadDim + head] = state.largest;
      partial[kHeads * kHeadDim + kHeads + head] = state.sum;
    }
    return;
  }
  State state{kNothing, 0};
  float4 values{0, 0, 0, 0};
  for (uint32_t chunk = first; chunk <= last; ++chunk) {
    float4 next_values;
    const State next = attend_chunk<kDtype>(args, looker, table, chunk, kv_head, shared, next_values);
    append(state, values, next, next_values);
  }
  write_out(args, token, kv_head, state, values);
}

/// Adds up the chunks that blocks computed alone. Block: a token and a KV head.
__global__ void __launch_bounds__(kThreads) join_chunks(AttendOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x, kv_head = blockIdx.y, head = threadIdx.x / 16;
  const uint32_t end = args.places.positions[token] + 1;
  const uint32_t begin = args.window > 0 && end > args.window ? end - args.window : 0;
  const uint32_t num_chunks = (end - 1) / kChunkTokens - begin / kChunkTokens + 1;
  const float* partial =
      args.partial + (uint64_t{token} * args.cache.kv_heads + kv_head) * args.max_chunks * kPartialFloats;
  State state{kNothing, 0};
  float4 values{0, 0, 0, 0};
  for (uint32_t chunk = 0; chunk < num_chunks; ++chunk, partial += kPartialFloats) {
    const State next{partial[kHeads * kHeadDim + head], partial[kHeads * kHeadDim + kHeads + head]};
    append(state, values, next, reinterpret_cast<const float4*>(partial)[threadIdx.x]);
  }
  write_out(args, token, kv_head, state, values);
}

template <KvDtype kDtype>
void start(const AttendOp& args, Stream stream) {
  const uint32_t kv_heads = args.cache.kv_heads;
  launch(attend_kernel<kDtype>, dim3(args.num_tokens, kv_heads, args.partial ? args.max_chunks : 1), kThreads,
         sizeof(Shared), stream, args);
  if (args.partial) launch(join_chunks, dim3(args.num_tokens, kv_heads), kThreads, 0, stream, args);
}

}  // namespace

void attend(const AttendOp& args, Stream stream) {
  if (args.num_tokens == 0) return;
  if (args.cache.dtype == KvDtype::kInt8) return start<KvDtype::kInt8>(args, stream);
  start<KvDtype::kBf16>(args, stream);
}

}  // namespace gossamer::kernels::cuda
