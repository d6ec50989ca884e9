// Part of one ISA's file: included inside its namespace, after exp-inl.h.
//
// Attention of one token over one chunk of positions, as templates over what the cache holds and how it multiplies.
//
// The query heads of a group share every key and value, so each is read from memory once. Keys stand dimension by
// dimension, 32 positions side by side: a vector lane is a position, and no sum runs across a register. A chunk takes
// two passes, all scores and then the mix of values; the order of every sum depends on absolute positions alone.
//
// What multiplies is a template's parameter, a struct with two functions, score<kHeads>() and mix<kRuns, kHeads>(), and
// how many heads at once are best for each.
#pragma once

/// Keys and values of one head in one block, 32 numbers at a time (kernels/kv_layout.h). kOdd: of two that stand
/// together where the layout has pairs, the first or the second.
template <Block (*kRead)(const std::byte*), uint64_t kBytes>
struct PlainKv {
  static constexpr uint64_t kRunBytes = kBytes;  // of 32 numbers
  template <uint32_t kOdd>
  static Block keys(const std::byte* begin, uint32_t pair) {
    return kRead(begin + (2 * pair + kOdd) * kBytes);
  }
  template <uint32_t kOdd>
  static Block values(const std::byte* begin, uint32_t pair, uint32_t run, uint32_t runs) {
    return kRead(begin + ((2 * pair + kOdd) * runs + run) * kBytes);
  }
};
using KvF32 = PlainKv<f32, 128>;
using KvInt8 = PlainKv<int8, 32>;

struct KvBf16 {
  static constexpr uint64_t kRunBytes = 64;
  template <uint32_t kOdd>
  static Block keys(const std::byte* begin, uint32_t pair) {
    return kOdd ? bf16_second(begin + pair * 2 * kRunBytes) : bf16_first(begin + pair * 2 * kRunBytes);
  }
  template <uint32_t kOdd>
  static Block values(const std::byte* begin, uint32_t pair, uint32_t run, uint32_t runs) {
    return keys<kOdd>(begin, pair * runs + run);
  }
};

/// Blocks lie anywhere, and 4 KB are too short a stream for the hardware to see coming: while the keys of a block are
/// read, two dimensions at a time, the keys of the next and its own values are asked for.
template <uint64_t kRunBytes>
inline void prefetch_runs(const AttendArgs& args, const std::byte* block, const std::byte* next, uint32_t pair) {
  for (uint64_t begin = pair * 2 * kRunBytes; begin < (pair + 1) * 2 * kRunBytes; begin += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(next + args.keys + begin), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(block + args.values + begin), _MM_HINT_T1);
  }
}

/// Products in float32.
template <class Kv>
struct FloatProducts {
  static constexpr uint32_t kScoreHeads = kFloatScoreHeads, kMixHeads = kFloatMixHeads;

  /// sums[h] = q[head + h] . key for 32 positions.
  template <uint32_t kHeads>
  static void score(const AttendArgs& args, const std::byte* block, const std::byte* next, uint32_t head, Block* sums) {
    const float* q = args.q + static_cast<uint64_t>(head) * args.head_dim;
    Vec s[kHeads][kBlockVectors];
    for (auto& line : s)
      for (Vec& v : line) v = zero();
    const auto add_dimension = [&](uint32_t d, const Block& keys) {
      for (uint32_t h = 0; h < kHeads; ++h) {
        const Vec x = set1(q[h * args.head_dim + d]);
        for (uint32_t i = 0; i < kBlockVectors; ++i) s[h][i] = fma(x, keys.v[i], s[h][i]);
      }
    };
    for (uint32_t pair = 0; pair < args.head_dim / 2; ++pair) {
      prefetch_runs<Kv::kRunBytes>(args, block, next, pair);
      add_dimension(2 * pair, Kv::template keys<0>(block + args.keys, pair));
      add_dimension(2 * pair + 1, Kv::template keys<1>(block + args.keys, pair));
    }
    for (uint32_t h = 0; h < kHeads; ++h)
      for (uint32_t i = 0; i < kBlockVectors; ++i) sums[h].v[i] = s[h][i];
  }

  /// What mix() takes, in place.
  static void prepare_weights(float* /*weights*/, uint32_t /*n*/) {}

  /// mix[h] = sum of weight * value over the positions begin .. end - 1 of a chunk whose first block is blocks[0].
  template <uint32_t kRuns, uint32_t kHeads>
  static void mix(const AttendArgs& args, const std::byte* const* blocks, uint32_t begin, uint32_t end, uint32_t head,
                  float* mix) {
    const float* weights = args.scores + head * kAttentionChunkTokens;
    Vec s[kHeads][kRuns * kBlockVectors];
    for (auto& line : s)
      for (Vec& v : line) v = zero();
    const auto add_position = [&]<uint32_t kOdd>(uint32_t p) {
      const std::byte* values = blocks[p / kKvBlockTokens] + args.values;
      for (uint32_t r = 0; r < kRuns; ++r) {
        const Block value = Kv::template values<kOdd>(values, p % kKvBlockTokens / 2, r, kRuns);
        for (uint32_t h = 0; h < kHeads; ++h) {
          const Vec weight = set1(weights[h * kAttentionChunkTokens + p]);
          for (uint32_t i = 0; i < kBlockVectors; ++i)
            s[h][r * kBlockVectors + i] = fma(weight, value.v[i], s[h][r * kBlockVectors + i]);
        }
      }
    };
    uint32_t p = begin;
    if (p % 2 == 1) add_position.template operator()<1>(p++);
    for (; p + 2 <= end; p += 2) {
      add_position.template operator()<0>(p);
      add_position.template operator()<1>(p + 1);
    }
    if (p < end) add_position.template operator()<0>(p);
    for (uint32_t h = 0; h < kHeads; ++h)
      for (uint32_t i = 0; i < kRuns * kBlockVectors; ++i)
        store(mix + static_cast<uint64_t>(h) * args.head_dim + i * kLanes, s[h][i]);
  }
};

/// Scores of kHeads query heads against the positions of the blocks begin_block .. end_block - 1 of a chunk.
template <class Products, uint32_t kHeads>
void score_blocks(const AttendArgs& args, const std::byte* const* blocks, uint32_t begin_block, uint32_t end_block,
                  uint32_t head) {
  for (uint32_t b = begin_block; b < end_block; ++b) {
    Block sums[kHeads];
    Products::template score<kHeads>(args, blocks[b], blocks[b + 1 < end_block ? b + 1 : b], head, sums);
    Block scale;
    for (Vec& s : scale.v) s = set1(args.scale);
    if (args.key_scales) {
      const Block of_keys = bf16(blocks[b] + args.key_scales);
      for (uint32_t i = 0; i < kBlockVectors; ++i) scale.v[i] = mul(scale.v[i], of_keys.v[i]);
    }
    for (uint32_t h = 0; h < kHeads; ++h)
      for (uint32_t i = 0; i < kBlockVectors; ++i)
        store(args.scores + (head + h) * kAttentionChunkTokens + b * kKvBlockTokens + i * kLanes,
              mul(sums[h].v[i], scale.v[i]));
  }
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

template <class Products, uint32_t kRuns>
void attend_chunk_with(const AttendArgs& args, const AttentionState& state) {
  const uint32_t first_block = args.begin / kAttentionChunkTokens * (kAttentionChunkTokens / kKvBlockTokens);
  const std::byte* const* blocks = args.blocks + first_block;
  // positions counted from the beginning of the chunk, scores only of blocks that are visible
  const uint32_t begin = args.begin - first_block * kKvBlockTokens, end = args.end - first_block * kKvBlockTokens;
  const uint32_t begin_block = begin / kKvBlockTokens, end_block = (end + kKvBlockTokens - 1) / kKvBlockTokens;
  constexpr uint32_t kScoreHeads = Products::kScoreHeads, kMixHeads = Products::kMixHeads;
  uint32_t head = 0;
  for (; head + kScoreHeads <= args.group; head += kScoreHeads)
    score_blocks<Products, kScoreHeads>(args, blocks, begin_block, end_block, head);
  for (; head < args.group; ++head) score_blocks<Products, 1>(args, blocks, begin_block, end_block, head);
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
    Products::prepare_weights(weights, n);
  }
  for (head = 0; head + kMixHeads <= args.group; head += kMixHeads)
    Products::template mix<kRuns, kMixHeads>(args, blocks, begin, end, head, state.mix + head * args.head_dim);
  for (; head < args.group; ++head)
    Products::template mix<kRuns, 1>(args, blocks, begin, end, head, state.mix + head * args.head_dim);
}

template <class Products>
void attend_chunk_of(const AttendArgs& args, const AttentionState& state) {
  if (args.head_dim == 64) return attend_chunk_with<Products, 2>(args, state);
  attend_chunk_with<Products, 1>(args, state);
}
