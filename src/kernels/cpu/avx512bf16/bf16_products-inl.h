// Part of the files of avx512bf16 and amx: included inside their namespaces, after attend_chunk-inl.h. Attention's
// products of bf16.
#pragma once

inline Vec add_products(Vec sum, __m512i pairs, __m512i other) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(pairs), reinterpret_cast<__m512bh>(other));
}
inline __m512i pairs_at(const std::byte* p) {
  return _mm512_loadu_si512(p);
}
inline __m512i broadcast(uint32_t pair) {
  return _mm512_set1_epi32(static_cast<int>(pair));
}

/// n floats (a multiple of 32) to bf16, nearest even; out may be x.
inline void round_to_bf16(const float* x, uint32_t n, uint32_t* out) {
  for (uint32_t i = 0; i < n; i += 32) {
    const auto rounded = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(load(x + i + 16), load(x + i)));
    _mm512_storeu_si512(out + i / 2, rounded);
  }
}

/// Products of pairs of bf16, summed in float32: queries and weights are rounded as keys and values are.
struct Bf16Products {
  static constexpr uint32_t kScoreHeads = 8;  // 16 sums for 32 positions, 2 vectors of keys
  static constexpr uint32_t kMixHeads = 4;    // 16 sums of a 64-wide head

  template <uint32_t kHeads>
  static void score(const AttendArgs& args, const std::byte* block, const std::byte* next, uint32_t head, Block* sums) {
    uint32_t q[kHeads][32];  // pairs of dimensions
    for (uint32_t h = 0; h < kHeads; ++h) round_to_bf16(args.q + (head + h) * args.head_dim, args.head_dim, q[h]);
    Vec s[kHeads][kBlockVectors];
    for (auto& line : s)
      for (Vec& v : line) v = zero();
    for (uint32_t pair = 0; pair < args.head_dim / 2; ++pair) {
      prefetch_runs<KvBf16::kRunBytes>(args, block, next, pair);
      const std::byte* keys = block + args.keys + pair * 2 * KvBf16::kRunBytes;
      const __m512i first = pairs_at(keys), second = pairs_at(keys + 64);
      for (uint32_t h = 0; h < kHeads; ++h) {
        const __m512i x = broadcast(q[h][pair]);
        s[h][0] = add_products(s[h][0], x, first);
        s[h][1] = add_products(s[h][1], x, second);
      }
    }
    for (uint32_t h = 0; h < kHeads; ++h) sums[h] = {{s[h][0], s[h][1]}};
  }

  static void prepare_weights(float* weights, uint32_t n) {
    round_to_bf16(weights, n, reinterpret_cast<uint32_t*>(weights));
  }

  template <uint32_t kRuns, uint32_t kHeads>
  static void mix(const AttendArgs& args, const std::byte* const* blocks, uint32_t begin, uint32_t end, uint32_t head,
                  float* mix) {
    constexpr uint32_t kVectors = kRuns * kBlockVectors;
    // prepare_weights() began where the first visible block does.
    const uint32_t from = begin / kKvBlockTokens * kKvBlockTokens;
    const auto* weights = reinterpret_cast<const uint32_t*>(args.scores + head * kAttentionChunkTokens + from);
    Vec s[kHeads][kVectors];
    for (auto& line : s)
      for (Vec& v : line) v = zero();
    // kSeen: which of the two positions of a pair are visible; the other may hold what is no number.
    const auto add_pair = [&]<uint32_t kSeen>(uint32_t p) {
      const std::byte* values = blocks[p / kKvBlockTokens] + args.values + p % kKvBlockTokens / 2 * (kVectors * 64);
      for (uint32_t i = 0; i < kVectors; ++i) {
        const __m512i value = _mm512_and_si512(pairs_at(values + i * 64), broadcast(kSeen));
        for (uint32_t h = 0; h < kHeads; ++h) {
          const __m512i weight = broadcast(weights[h * kAttentionChunkTokens + (p - from) / 2]);
          s[h][i] = add_products(s[h][i], weight, value);
        }
      }
    };
    constexpr uint32_t kFirst = 0x0000ffff, kSecond = 0xffff0000, kBoth = 0xffffffff;
    uint32_t p = begin;
    if (p % 2 == 1) add_pair.template operator()<kSecond>(p++);
    for (; p + 2 <= end; p += 2) add_pair.template operator()<kBoth>(p);
    if (p < end) add_pair.template operator()<kFirst>(p);
    for (uint32_t h = 0; h < kHeads; ++h)
      for (uint32_t i = 0; i < kVectors; ++i)
        store(mix + static_cast<uint64_t>(h) * args.head_dim + i * kLanes, s[h][i]);
  }
};
