// Part of AMX's file: included inside its namespace, after int_gemm-inl.h.
//
// Products of many inputs in tiles of bf16: 16 inputs by 16 rows of weights, 32 columns at a time, sums in float32.
// MXFP4 is exact in bf16 and BF16 is itself; of Q8_0 and of inputs eight bits are kept. A panel of 16 rows is
// unpacked once, into the cache, and meets all inputs there.
#pragma once

constexpr uint64_t kTileBytes = 1024;  // 32 columns of 16 rows

/// bf16, two columns a lane: the even one below.
inline IntVec bf16_pair(__m512 even, __m512 odd) {
  const auto narrow = [](__m512 x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)); };
  const __m512i upper = _mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow(odd)), 16);
  return _mm512_or_si512(upper, _mm512_cvtepu16_epi32(narrow(even)));
}

/// One block of a panel as a tile: pairs of columns, for each of them 16 lanes of rows. `scales`: of the block's rows.
struct Mxfp4Tiles {
  /// The value is looked up and the scale, a power of two, added to its exponent. A scale below 2^-125 makes zeros.
  template <class Panel>
  static void unpack(const Panel& panel, uint32_t block, const float* scales, std::byte* out) {
    static constexpr auto kValues = [] {
      struct Values {
        uint16_t bf16[32];
      } values{};
      for (int code = 0; code < 32; ++code) values.bf16[code] = f32_to_bf16((code - 12) * 0.5f);
      return values;
    }();
    const __m512i values = _mm512_loadu_si512(kValues.bf16), magnitude = _mm512_set1_epi16(0x7fff);
    const __m512i exponent = _mm512_srli_epi32(_mm512_castps_si512(load(scales)), 23);
    const __m512i steps = _mm512_slli_epi32(_mm512_sub_epi32(exponent, _mm512_set1_epi32(127)), 7);
    const __m512i both =
        _mm512_or_si512(_mm512_and_si512(steps, _mm512_set1_epi32(0xffff)), _mm512_slli_epi32(steps, 16));
    const __mmask16 normal = _mm512_cmpgt_epi32_mask(exponent, _mm512_set1_epi32(1));
    IntVec codes[kBlockCodes];
    panel.codes(block, codes);
    for (uint32_t v = 0; v < kBlockCodes; ++v)
      for (uint32_t half = 0; half < 2; ++half) {
        const IntVec looked_up = _mm512_permutexvar_epi16(bytes_as_words(codes[v], half), values);
        const __mmask32 not_zero = _mm512_test_epi16_mask(looked_up, magnitude);
        const IntVec scaled = _mm512_mask_add_epi16(looked_up, not_zero, looked_up, both);
        int_store(out + (2 * v + half) * 64, _mm512_maskz_mov_epi32(normal, scaled));
      }
  }

 private:
  /// Bytes 0 and 1, or 2 and 3, of each lane as its two words.
  static IntVec bytes_as_words(IntVec codes, uint32_t half) {
    const int32_t word = half == 0 ? static_cast<int32_t>(0x80018000u) : static_cast<int32_t>(0x80038002u);
    const __m512i of_lane = _mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0);
    const __m512i places = _mm512_or_si512(_mm512_set1_epi32(word), _mm512_and_si512(of_lane, _mm512_set1_epi16(0xff)));
    return _mm512_shuffle_epi8(codes, places);
  }
};

struct Q8Tiles {
  template <class Panel>
  static void unpack(const Panel& panel, uint32_t block, const float* scales, std::byte* out) {
    const __m512 scale = load(scales);
    IntVec codes[kBlockCodes];
    panel.codes(block, codes);
    for (uint32_t v = 0; v < kBlockCodes; ++v) {
      const IntVec numbers = q8_codes(codes[v]);  // signed again
      const auto column = [&](uint32_t byte) {
        const __m512i top = _mm512_sllv_epi32(numbers, _mm512_set1_epi32(static_cast<int32_t>(24 - 8 * byte)));
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24)), scale);
      };
      int_store(out + 2 * v * 64, bf16_pair(column(0), column(1)));
      int_store(out + (2 * v + 1) * 64, bf16_pair(column(2), column(3)));
    }
  }
};

/// Rows of BF16, 64 bytes a block; there are no scales.
struct Bf16Panel : FilePanel<64> {
  using FilePanel::FilePanel;
  void scales(uint32_t /*block*/, uint32_t /*num_blocks*/, float* /*out*/) const {}
};
struct Bf16Tiles {
  static void unpack(const Bf16Panel& panel, uint32_t block, const float* /*scales*/, std::byte* out) {
    for (uint32_t quarter = 0; quarter < 4; ++quarter) {
      IntVec pairs[4];
      transpose(panel.data, block * 64 + quarter * 16, pairs);
      for (uint32_t p = 0; p < 4; ++p) int_store(out + (4 * quarter + p) * 64, pairs[p]);
    }
  }
};

/// All columns of a panel, tile after tile.
template <class Tiles, class Panel>
void unpack_panel(const GemmArgs& args, uint32_t row, uint32_t row_end, std::byte* out) {
  alignas(64) float scales[kSlabBlocks * kPanelLanes];
  const Panel panel(args.w, row, row_end);
  const uint32_t blocks = args.w.cols / 32;
  for (uint32_t slab = 0; slab < blocks; slab += kSlabBlocks) {
    const uint32_t end = blocks - slab < kSlabBlocks ? blocks : slab + kSlabBlocks;
    panel.prefetch_slab(args.w, slab, row + kPanelLanes >= row_end);
    panel.scales(slab, end - slab, scales);
    for (uint32_t b = slab; b < end; ++b) {
      panel.prefetch_block(b);
      Tiles::unpack(panel, b, scales + (b - slab) * kPanelLanes, out + b * kTileBytes);
    }
  }
}

/// The results of 16 inputs, of which some may be none, for one panel of rows.
template <int kSum>
void put_tile(const GemmArgs& args, uint32_t input, uint32_t row, uint32_t row_end) {
  alignas(64) float sums[16 * 16];
  tile_store<kSum>(sums, 64);
  const uint32_t rows = row_end - row < kPanelLanes ? row_end - row : kPanelLanes;
  const uint32_t inputs = args.num_x - input < 16 ? args.num_x - input : 16;
  for (uint32_t i = 0; i < inputs; ++i) put_panel(args, input + i, row, rows, load(sums + i * 16));
}

/// 16 * kInputTiles inputs times kPanels panels, of all columns. Tiles 0 .. 3 are sums, 4 and 5 inputs, 6 and 7
/// weights.
template <uint32_t kInputTiles, uint32_t kPanels>
void tile_pass(const GemmArgs& args, const std::byte* panels, uint32_t input, uint32_t row, uint32_t row_end) {
  const uint64_t stride_bytes = args.w.cols * 2ull, panel_bytes = args.w.cols / 32 * kTileBytes;
  const std::byte* x = args.bf16_x + input * stride_bytes;
  tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  for (uint32_t b = 0; b < args.w.cols / 32; ++b) {
    tile_load<4>(x + b * 64, stride_bytes);
    tile_load<6>(panels + b * kTileBytes, 64);
    tile_dot_bf16<0, 4, 6>();
    if constexpr (kPanels == 2) {
      tile_load<7>(panels + panel_bytes + b * kTileBytes, 64);
      tile_dot_bf16<1, 4, 7>();
    }
    if constexpr (kInputTiles == 2) {
      tile_load<5>(x + 16 * stride_bytes + b * 64, stride_bytes);
      tile_dot_bf16<2, 5, 6>();
      if constexpr (kPanels == 2) tile_dot_bf16<3, 5, 7>();
    }
  }
  put_tile<0>(args, input, row, row_end);
  if constexpr (kPanels == 2) put_tile<1>(args, input, row + kPanelLanes, row_end);
  if constexpr (kInputTiles == 2) put_tile<2>(args, input + 16, row, row_end);
  if constexpr (kInputTiles == 2 && kPanels == 2) put_tile<3>(args, input + 16, row + kPanelLanes, row_end);
}

template <uint32_t kPanels>
void tile_all_passes(const GemmArgs& args, const std::byte* panels, uint32_t row, uint32_t row_end) {
  uint32_t input = 0;
  for (; input + 16 < args.num_x; input += 32) tile_pass<2, kPanels>(args, panels, input, row, row_end);
  if (input < args.num_x) tile_pass<1, kPanels>(args, panels, input, row, row_end);
}

template <class Tiles, class Panel>
void tile_gemm_with(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, std::byte* scratch) {
  const uint64_t panel_bytes = args.w.cols / 32 * kTileBytes;
  for (uint32_t row = row_begin; row < row_end; row += 2 * kPanelLanes) {
    const bool two = row + kPanelLanes < row_end;
    unpack_panel<Tiles, Panel>(args, row, row_end, scratch);
    if (two) unpack_panel<Tiles, Panel>(args, row + kPanelLanes, row_end, scratch + panel_bytes);
    two ? tile_all_passes<2>(args, scratch, row, row_end) : tile_all_passes<1>(args, scratch, row, row_end);
  }
}

bool takes_tiles(const WeightRows& w) {
  return w.cols % 32 == 0 && (w.dtype == Dtype::kMxfp4 || w.dtype == Dtype::kQ8_0 || w.dtype == Dtype::kBf16);
}

uint64_t tile_scratch_bytes(const WeightRows& w) {
  return 64 + 2 * (w.cols / 32 * kTileBytes);
}

/// A row of inputs in bf16, the columns of each block in the order in which tiles of w's format have them.
void to_bf16(const float* x, const WeightRows& w, std::byte* out) {
  static constexpr InputOrder kPlain = q8_order(0);
  const InputOrder& order = w.dtype == Dtype::kBf16 ? kPlain : input_order(w);
  const auto places = [&](uint32_t begin) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(order.element + begin)));
  };
  const __m512i first_places = places(0), second_places = places(16);
  for (uint32_t b = 0; b < w.cols / 32; ++b, x += 32, out += 64) {
    const __m512 low = load(x), high = load(x + 16);
    const __m512 first = _mm512_permutex2var_ps(low, first_places, high);
    const __m512 second = _mm512_permutex2var_ps(low, second_places, high);
    _mm512_storeu_si512(out, reinterpret_cast<IntVec>(_mm512_cvtne2ps_pbh(second, first)));
  }
}

/// Eight tiles of full size, in this thread.
inline void configure_tiles() {
  TileConfig config;
  for (uint32_t tile = 0; tile < 8; ++tile) config.row_bytes[tile] = kTileRowBytes, config.rows[tile] = kTileRowCount;
  load_config(config);
}

void tile_gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, void* memory) {
  auto* scratch = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
  configure_tiles();
  if (args.w.dtype == Dtype::kBf16)
    tile_gemm_with<Bf16Tiles, Bf16Panel>(args, row_begin, row_end, scratch);
  else if (args.w.dtype == Dtype::kQ8_0)
    args.w.packed ? tile_gemm_with<Q8Tiles, PackedQ8Panel>(args, row_begin, row_end, scratch)
                  : tile_gemm_with<Q8Tiles, Q8Panel>(args, row_begin, row_end, scratch);
  else if (args.w.packed)
    tile_gemm_with<Mxfp4Tiles, PackedMxfp4Panel>(args, row_begin, row_end, scratch);
  else if (args.w.layout == Mxfp4Layout::kGgml)
    tile_gemm_with<Mxfp4Tiles, Mxfp4Panel<Mxfp4Layout::kGgml>>(args, row_begin, row_end, scratch);
  else
    tile_gemm_with<Mxfp4Tiles, Mxfp4Panel<Mxfp4Layout::kSplit>>(args, row_begin, row_end, scratch);
  release_tiles();
}
