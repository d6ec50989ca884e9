/// Attention of one token and one KV head with all query heads that read it, by four warps: each has a step of a
/// chunk's positions for the scores, and then 16 dimensions of all of the chunk's values. Tokens that follow each other
/// in a prompt are attention_prefill.cu's.

#include "kernels/cuda/attention_parts.h"
#include "kernels/cuda/launch.h"

namespace gossamer::kernels::cuda {
namespace {

using namespace attention;

struct Shared {
  float largest[kChunkSteps][kHeads];
  float sums[kChunkSteps][2][32];  // of each lane's heads
  uint4 weights[kChunkPages][32];
};

/// A KV head of the cache, page by page of a sequence.
struct Pages {
  const std::byte* memory;  // of the head
  uint64_t page_bytes;
  const uint32_t* table;

  __device__ __forceinline__ const std::byte* at(uint32_t page) const { return memory + table[page] * page_bytes; }
};

/// One token's view.
struct Looker {
  uint4 q[2];
  Range seen;
  float scale;  // of scores, times log2 e
};

template <KvDtype kDtype>
__device__ __forceinline__ KeyRows read_keys(const std::byte* page, uint32_t half) {
  const uint4* lanes = reinterpret_cast<const uint4*>(page) + threadIdx.x % 32;
  if constexpr (kDtype == KvDtype::kBf16) {
    lanes += 32 * 4 * half;
    return {{lanes[0], lanes[32], lanes[64], lanes[96]}};
  }
  const uint4 a = lanes[32 * 2 * half], b = lanes[32 * 2 * half + 32];
  return {{widen_eight(a.x, a.y), widen_eight(a.z, a.w), widen_eight(b.x, b.y), widen_eight(b.z, b.w)}};
}

template <KvDtype kDtype>
__device__ __forceinline__ ValueRows read_values(const std::byte* page, uint32_t part) {
  const uint4* lanes =
      reinterpret_cast<const uint4*>(page + KvLayout{kDtype, 1, kHeadDim}.values(0)) + threadIdx.x % 32;
  if constexpr (kDtype == KvDtype::kBf16) return {{lanes[32 * 2 * part], lanes[32 * 2 * part + 32]}};
  const uint4 a = lanes[32 * part];
  return {{widen_eight(a.x, a.y), widen_eight(a.z, a.w)}};
}

/// Scores of this warp's step and the largest of them.
template <KvDtype kDtype>
__device__ __forceinline__ void score_step(const Looker& looker, const Pages& pages, uint32_t first_page,
                                           StepScores& scores, float (&largest)[2]) {
#pragma unroll
  for (uint32_t page = 0; page < kStepPages; ++page) {
    const uint32_t first = (first_page + page) * kKvBlockTokens;
    if (looker.seen.meets(first, kKvBlockTokens)) {
      const std::byte* numbers = pages.at(first_page + page);
#pragma unroll
      for (uint32_t half = 0; half < 2; ++half)
        multiply_keys(scores[page][half], read_keys<kDtype>(numbers, half), looker.q);
      finish_scores<kDtype>(scores[page], numbers + KvLayout{kDtype, 1, kHeadDim}.key_scales(0), first, looker.seen);
    } else {
#pragma unroll
      for (uint32_t i = 0; i < 8; ++i) scores[page][i / 4][i % 4] = kUnseen;
    }
  }
  largest_of_step(scores, looker.scale, largest);
}

/// One chunk by the whole block; the next may follow at once: what it writes behind a barrier, this reads before it.
/// Gives its softmax, and of 16 dimensions, which are the warp's, the values.
template <KvDtype kDtype>
__device__ __forceinline__ Softmax attend_chunk(const Looker& looker, const Pages& pages, uint32_t chunk,
                                                Shared& shared, float (&values)[4]) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, quad = lane % 4;
  const uint32_t first_page = chunk * kChunkPages, own_page = first_page + warp * kStepPages;
  StepScores scores;
  float own_largest[2];
  score_step<kDtype>(looker, pages, own_page, scores, own_largest);
  if (group == 0)
    for (uint32_t i = 0; i < 2; ++i) shared.largest[warp][2 * quad + i] = own_largest[i];
  ValueRows rows[kChunkPages];  // asked for before anybody waits
#pragma unroll
  for (uint32_t page = 0; page < kChunkPages; ++page)
    if (looker.seen.meets((first_page + page) * kKvBlockTokens, kKvBlockTokens))
      rows[page] = read_values<kDtype>(pages.at(first_page + page), warp);
  block_barrier();

  Softmax all;
  float factors[kChunkSteps][2];
#pragma unroll
  for (uint32_t step = 0; step < kChunkSteps; ++step) {
    const float of_step[2] = {shared.largest[step][2 * quad], shared.largest[step][2 * quad + 1]};
    advance(all, of_step, factors[step]);
    if (step == warp)
      for (uint32_t i = 0; i < 2; ++i) own_largest[i] = all.largest[i];
  }
  float sums[2];
  weigh(scores, looker.scale, own_largest, sums);
  for (uint32_t i = 0; i < 2; ++i) shared.sums[warp][i][lane] = sums[i];
#pragma unroll
  for (uint32_t page = 0; page < kStepPages; ++page)
    if (looker.seen.meets((own_page + page) * kKvBlockTokens, kKvBlockTokens))
      shared.weights[warp * kStepPages + page][lane] =
          operands_of<kDtype>(scores[page], pages.at(own_page + page) + KvLayout{kDtype, 1, kHeadDim}.value_scales(0));
  block_barrier();

  for (float& value : values) value = 0;
#pragma unroll
  for (uint32_t page = 0; page < kChunkPages; ++page) {
    const uint32_t first = (first_page + page) * kKvBlockTokens;
    if (page % kStepPages == 0) scale_values(values, factors[page / kStepPages]);
    if (!looker.seen.meets(first, kKvBlockTokens)) continue;
    hide_behind(rows[page], looker.seen.end - first);
    add_values(values, rows[page], shared.weights[page][lane]);
  }
#pragma unroll
  for (uint32_t i = 0; i < 2; ++i) {
    for (uint32_t step = 0; step < kChunkSteps; ++step)
      all.sum[i] = multiply_alone(all.sum[i], factors[step][i]) + shared.sums[step][i][lane];
    all.sum[i] = over_groups_sum(all.sum[i]);
  }
  return all;
}

/// Block: a token and a KV head, chunk after chunk; or one of its chunks, where args.partial is not null.
template <KvDtype kDtype>
__global__ void __launch_bounds__(kThreads) attend_kernel(AttendOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t place = blockIdx.x, kv_head = blockIdx.y, part = threadIdx.x / 32;
  const uint32_t token = args.tokens ? args.tokens[place] : place;
  Shared& shared = *static_cast<Shared*>(shared_memory());
  Looker looker{{}, seen_from(args.places.positions[token], args.window), multiply_alone(args.scale, kLog2E)};
  read_queries(args, token, kv_head, looker.q);
  const KvLayout layout{kDtype, args.cache.kv_heads, kHeadDim};
  const Pages pages{args.cache.memory + layout.keys(kv_head), args.cache.page_bytes,
                    args.places.pages + args.places.table_begin[token]};
  const uint32_t first = looker.seen.first_chunk(), last = looker.seen.last_chunk();
  if (args.partial) {
    if (first + blockIdx.z > last) return;
    float values[4];
    const Softmax softmax = attend_chunk<kDtype>(looker, pages, first + blockIdx.z, shared, values);
    float* partial = partial_of(args, place, kv_head, blockIdx.z);
    write_partial(partial, part, values);
    if (part == 0) write_partial(partial, softmax);
    return;
  }
  Softmax all;
  float values[4] = {0, 0, 0, 0}, shares[2];
  for (uint32_t chunk = first; chunk <= last; ++chunk) {
    float next_values[4];
    const Softmax next = attend_chunk<kDtype>(looker, pages, chunk, shared, next_values);
    append_values(values, next_values, append(all, next));
  }
  shares_of(args, kv_head, all, shares);
  write_values(args, token, kv_head, part, values, shares);
}

/// Block: a token and a KV head.
__global__ void __launch_bounds__(kThreads) join_chunks(AttendOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  join_token(args, args.tokens ? args.tokens[blockIdx.x] : blockIdx.x, blockIdx.x, blockIdx.y);
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
