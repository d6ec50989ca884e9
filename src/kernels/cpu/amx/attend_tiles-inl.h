// Part of AMX's file: included inside its namespace, after avx512bf16/bf16_products-inl.h.
//
// Attention's products of bf16 in tiles: eight heads are eight rows, 16 positions or 16 dimensions the columns. A block
// of the cache is already what a tile wants: pairs of dimensions of keys, pairs of positions of values.
#pragma once

/// Tiles 0 .. 3 are sums and 4 .. 5 queries or weights, of eight heads; 6 and 7 are keys or values.
inline void configure_attention_tiles() {
  TileConfig config;
  for (uint32_t tile = 0; tile < 8; ++tile)
    config.row_bytes[tile] = kTileRowBytes, config.rows[tile] = tile < 6 ? 8 : 16;
  load_config(config);
}

struct TileProducts {
  static constexpr uint32_t kScoreHeads = 8, kMixHeads = 8;

  template <uint32_t kHeads>
  static void score(const AttendArgs& args, const std::byte* block, const std::byte* next, uint32_t head, Block* sums) {
    if constexpr (kHeads != 8) return Bf16Products::score<kHeads>(args, block, next, head, sums);
    constexpr uint64_t kPairBytes = 2 * KvBf16::kRunBytes;  // two dimensions of the keys of a block
    alignas(64) uint32_t q[8][32];                          // pairs of dimensions
    for (uint32_t h = 0; h < 8; ++h) round_to_bf16(args.q + (head + h) * args.head_dim, args.head_dim, q[h]);
    tile_zero<0>(), tile_zero<1>();
    for (uint32_t pair = 0; pair < args.head_dim / 2; pair += 16) {
      for (uint32_t p = pair; p < pair + 16; ++p) prefetch_runs<KvBf16::kRunBytes>(args, block, next, p);
      const std::byte* keys = block + args.keys + pair * kPairBytes;
      tile_load<4>(q[0] + pair, sizeof q[0]);
      tile_load<6>(keys, kPairBytes);
      tile_load<7>(keys + 64, kPairBytes);
      tile_dot_bf16<0, 4, 6>();
      tile_dot_bf16<1, 4, 7>();
    }
    tile_store<0>(&sums[0].v[0], sizeof(Block));
    tile_store<1>(&sums[0].v[1], sizeof(Block));
  }

  static void prepare_weights(float* weights, uint32_t n) { Bf16Products::prepare_weights(weights, n); }

  template <uint32_t kRuns, uint32_t kHeads>
  static void mix(const AttendArgs& args, const std::byte* const* blocks, uint32_t begin, uint32_t end, uint32_t head,
                  float* mix) {
    if constexpr (kHeads != 8) return Bf16Products::mix<kRuns, kHeads>(args, blocks, begin, end, head, mix);
    constexpr uint64_t kPairBytes = kRuns * 128, kWeightsBytes = kAttentionChunkTokens * sizeof(float);
    const uint32_t begin_block = begin / kKvBlockTokens, end_block = (end + kKvBlockTokens - 1) / kKvBlockTokens;
    const auto* weights =
        reinterpret_cast<const std::byte*>(args.scores + head * kAttentionChunkTokens + begin_block * kKvBlockTokens);
    alignas(64) std::byte visible[16 * kPairBytes];
    tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
    for (uint32_t b = begin_block; b < end_block; ++b) {
      const uint32_t first = b * kKvBlockTokens, last = first + kKvBlockTokens;
      const std::byte* values = blocks[b] + args.values;
      if (begin > first || end < last) {
        copy_visible<kRuns>(values, begin > first ? begin - first : 0, (end < last ? end : last) - first, visible);
        values = visible;
      }
      tile_load<4>(weights + (b - begin_block) * 64, kWeightsBytes);
      tile_load<6>(values, kPairBytes);
      tile_load<7>(values + 64, kPairBytes);
      tile_dot_bf16<0, 4, 6>();
      tile_dot_bf16<1, 4, 7>();
      if constexpr (kRuns == 2) {
        tile_load<6>(values + 128, kPairBytes);
        tile_load<7>(values + 192, kPairBytes);
        tile_dot_bf16<2, 4, 6>();
        tile_dot_bf16<3, 4, 7>();
      }
    }
    const uint64_t row_bytes = args.head_dim * sizeof(float);
    tile_store<0>(mix, row_bytes);
    tile_store<1>(mix + 16, row_bytes);
    if constexpr (kRuns == 2) {
      tile_store<2>(mix + 32, row_bytes);
      tile_store<3>(mix + 48, row_bytes);
    }
  }

 private:
  /// The values of positions begin .. end - 1 of a block, zeros for the others: what is there may be no number.
  template <uint32_t kRuns>
  static void copy_visible(const std::byte* values, uint32_t begin, uint32_t end, std::byte* out) {
    for (uint32_t pair = 0; pair < kKvBlockTokens / 2; ++pair) {
      const bool first = 2 * pair >= begin && 2 * pair < end, second = 2 * pair + 1 >= begin && 2 * pair + 1 < end;
      const __m512i seen = broadcast((first ? 0x0000ffffu : 0u) | (second ? 0xffff0000u : 0u));
      for (uint32_t i = 0; i < kRuns * 2; ++i) {
        const uint64_t at = (pair * kRuns * 2 + i) * 64;
        _mm512_store_si512(out + at, _mm512_and_si512(pairs_at(values + at), seen));
      }
    }
  }
};

void attend_chunk_in_tiles(const AttendArgs& args, const AttentionState& state) {
  configure_attention_tiles();
  attend_chunk_of<TileProducts>(args, state);
  release_tiles();
}
