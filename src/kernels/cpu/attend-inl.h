// Part of one ISA's file: included inside its namespace, after elementwise-inl.h.
//
// The query heads of a group share every key and value, so each is read from memory once. Keys stand dimension by
// dimension, 32 positions side by side: a vector lane is a position, and no sum runs across a register. A chunk takes
// two passes, all scores and then the mix of values; the order of every sum depends on absolute positions alone.
#pragma once

/// Keys and values of one head in one block, 32 numbers at a time.
template <Block (*kRead)(const std::byte*), uint64_t kBytes>
struct KvReader {
  static constexpr uint64_t kRunBytes = kBytes;  // of 32 numbers
  static Block run(const std::byte* begin, uint32_t index) { return kRead(begin + index * kBytes); }
};
using KvF32 = KvReader<f32, 128>;
using KvBf16 = KvReader<bf16, 64>;
using KvInt8 = KvReader<int8, 32>;

/// Scores of kHeads query heads against the 32 positions of a block, to scores[h][0 .. 31]. Blocks lie anywhere, and 4
/// KB are too short a stream for the hardware to see coming: meanwhile the keys of the block after it and this block's
/// values are asked for.
template <class Kv, uint32_t kHeads>
void score_block(const AttendArgs& args, const std::byte* block, const std::byte* next, uint32_t head, float* scores) {
  const float* q = args.q + static_cast<uint64_t>(head) * args.head_dim;
  Vec sums[kHeads][kBlockVectors];
  for (auto& line : sums)
    for (Vec& s : line) s = zero();
  for (uint32_t d = 0; d < args.head_dim; ++d) {
    const Block keys = Kv::run(block + args.keys, d);
    _mm_prefetch(reinterpret_cast<const char*>(next + args.keys + d * Kv::kRunBytes), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(block + args.values + d * Kv::kRunBytes), _MM_HINT_T1);
    for (uint32_t h = 0; h < kHeads; ++h) {
      const Vec x = set1(q[h * args.head_dim + d]);
      for (uint32_t i = 0; i < kBlockVectors; ++i) sums[h][i] = fma(x, keys.v[i], sums[h][i]);
    }
  }
  Block scale;
  for (Vec& s : scale.v) s = set1(args.scale);
  if (args.key_scales) {
    const Block of_keys = bf16(block + args.key_scales);
    for (uint32_t i = 0; i < kBlockVectors; ++i) scale.v[i] = mul(scale.v[i], of_keys.v[i]);
  }
  for (uint32_t h = 0; h < kHeads; ++h)
    for (uint32_t i = 0; i < kBlockVectors; ++i)
      store(scores + (head + h) * kAttentionChunkTokens + i * kLanes, mul(sums[h][i], scale.v[i]));
}

template <class Kv>
void score_block_all_heads(const AttendArgs& args, const std::byte* block, const std::byte* next, float* scores) {
  uint32_t head = 0;
  for (; head + kScoreHeads <= args.group; head += kScoreHeads)
    score_block<Kv, kScoreHeads>(args, block, next, head, scores);
  for (; head < args.group; ++head) score_block<Kv, 1>(args, block, next, head, scores);
}

/// `n` scores (a multiple of 32) to weights e^(score - largest); what lies outside of [begin, end) may be anything and
/// gets a weight of 0.
inline void softmax_terms(float* scores, uint32_t n, uint32_t begin, uint32_t end, float& largest,
                          float& sum_of_terms) {
  constexpr float kNothing = -3.0e38f;
  for (uint32_t p = 0; p < begin; ++p) scores[p] = kNothing;
  for (uint32_t p = end; p < n; ++p) scores[p] = kNothing;
  Vec most = set1(kNothing);
  for (uint32_t p = 0; p < n; p += kLanes) most = max(most, load(scores + p));
  float lanes[kLanes];
  store(lanes, most);
  largest = lanes[0];
  for (float lane : lanes) largest = lane > largest ? lane : largest;

  const Vec shift = set1(largest);
  for (uint32_t p = 0; p < n; p += kLanes) store(scores + p, exp(sub(load(scores + p), shift)));
  for (uint32_t p = 0; p < begin; ++p) scores[p] = 0;
  for (uint32_t p = end; p < n; ++p) scores[p] = 0;
  Vec sums = zero();
  for (uint32_t p = 0; p < n; p += kLanes) sums = add(sums, load(scores + p));
  sum_of_terms = sum(sums);
}

/// mix[h] = sum of weight * value over the positions begin .. end - 1 of a chunk whose first block is blocks[0].
template <class Kv, uint32_t kRuns, uint32_t kHeads>
void mix_values(const AttendArgs& args, const std::byte* const* blocks, uint32_t begin, uint32_t end, uint32_t head,
                const float* weights, float* mix) {
  Vec sums[kHeads][kRuns * kBlockVectors];
  for (auto& line : sums)
    for (Vec& s : line) s = zero();
  for (uint32_t p = begin; p < end; ++p) {
    const std::byte* values = blocks[p / kKvBlockTokens] + args.values;
    for (uint32_t r = 0; r < kRuns; ++r) {
      const Block value = Kv::run(values, p % kKvBlockTokens * kRuns + r);
      for (uint32_t h = 0; h < kHeads; ++h) {
        const Vec weight = set1(weights[(head + h) * kAttentionChunkTokens + p]);
        for (uint32_t i = 0; i < kBlockVectors; ++i)
          sums[h][r * kBlockVectors + i] = fma(weight, value.v[i], sums[h][r * kBlockVectors + i]);
      }
    }
  }
  for (uint32_t h = 0; h < kHeads; ++h)
    for (uint32_t i = 0; i < kRuns * kBlockVectors; ++i)
      store(mix + static_cast<uint64_t>(head + h) * args.head_dim + i * kLanes, sums[h][i]);
}

template <class Kv, uint32_t kRuns>
void attend_chunk_with(const AttendArgs& args, const AttentionState& state) {
  const uint32_t first_block = args.begin / kAttentionChunkTokens * (kAttentionChunkTokens / kKvBlockTokens);
  const std::byte* const* blocks = args.blocks + first_block;
  // positions counted from the beginning of the chunk, scores only of blocks that are visible
  const uint32_t begin = args.begin - first_block * kKvBlockTokens, end = args.end - first_block * kKvBlockTokens;
  const uint32_t begin_block = begin / kKvBlockTokens, end_block = (end + kKvBlockTokens - 1) / kKvBlockTokens;
  for (uint32_t b = begin_block; b < end_block; ++b)
    score_block_all_heads<Kv>(args, blocks[b], blocks[b + 1 < end_block ? b + 1 : b], args.scores + b * kKvBlockTokens);
  const uint32_t from = begin_block * kKvBlockTokens, n = end_block * kKvBlockTokens - from;
  for (uint32_t h = 0; h < args.group; ++h) {
    float* weights = args.scores + h * kAttentionChunkTokens + from;
    softmax_terms(weights, n, begin - from, end - from, state.maximum[h], state.sum[h]);
    if (args.value_scales)
      for (uint32_t b = begin_block; b < end_block; ++b) {
        const Block scales = bf16(blocks[b] + args.value_scales);
        float* of_block = args.scores + h * kAttentionChunkTokens + b * kKvBlockTokens;
        for (uint32_t i = 0; i < kBlockVectors; ++i)
          store(of_block + i * kLanes, mul(load(of_block + i * kLanes), scales.v[i]));
      }
  }
  uint32_t head = 0;
  for (; head + kMixHeads <= args.group; head += kMixHeads)
    mix_values<Kv, kRuns, kMixHeads>(args, blocks, begin, end, head, args.scores, state.mix);
  for (; head < args.group; ++head) mix_values<Kv, kRuns, 1>(args, blocks, begin, end, head, args.scores, state.mix);
}

template <class Kv>
void attend_chunk_of(const AttendArgs& args, const AttentionState& state) {
  if (args.head_dim == 64) return attend_chunk_with<Kv, 2>(args, state);
  attend_chunk_with<Kv, 1>(args, state);
}

bool takes_attend(uint32_t head_dim) {
  return head_dim == 64 || head_dim == 32;
}

void attend_chunk(const AttendArgs& args, const AttentionState& state) {
  switch (args.dtype) {
    case KvDtype::kF32:
      return attend_chunk_of<KvF32>(args, state);
    case KvDtype::kBf16:
      return attend_chunk_of<KvBf16>(args, state);
    case KvDtype::kInt8:
      return attend_chunk_of<KvInt8>(args, state);
  }
}

void merge_attention(uint32_t group, uint32_t head_dim, const AttentionState& chunk, const AttentionState& state) {
  for (uint32_t h = 0; h < group; ++h) {
    const float largest = chunk.maximum[h] > state.maximum[h] ? chunk.maximum[h] : state.maximum[h];
    const Vec old_scale = exp(set1(state.maximum[h] - largest)), new_scale = exp(set1(chunk.maximum[h] - largest));
    float old_factor[kLanes], new_factor[kLanes];
    store(old_factor, old_scale);
    store(new_factor, new_scale);
    state.maximum[h] = largest;
    state.sum[h] = state.sum[h] * old_factor[0] + chunk.sum[h] * new_factor[0];
    float* mix = state.mix + static_cast<uint64_t>(h) * head_dim;
    const float* more = chunk.mix + static_cast<uint64_t>(h) * head_dim;
    for (uint32_t i = 0; i < head_dim; i += kLanes)
      store(mix + i, fma(load(more + i), new_scale, mul(load(mix + i), old_scale)));
  }
}
