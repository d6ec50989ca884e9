#pragma once
/// The machine surface of the integer products on AVX-512 with VNNI: panels of 16 rows of weights, one row a lane.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/cpu/quantized_row.h"
#include "kernels/ops.h"

namespace gossamer::kernels::avx512 {
namespace {

constexpr uint32_t kPanelLanes = 16;
constexpr uint32_t kBlockCodes = 8;  // vectors of unpacked codes in a block: 4 elements a lane each

using IntVec = __m512i;

inline IntVec int_zero() {
  return _mm512_setzero_si512();
}
inline IntVec int_set1(int32_t x) {
  return _mm512_set1_epi32(x);
}
inline IntVec load_codes(const uint8_t* p) {
  return _mm512_load_si512(p);
}
inline void store_codes(uint8_t* p, IntVec codes) {
  _mm512_store_si512(p, codes);
}
/// sum + the 4 products of each lane's unsigned codes with the 4 signed bytes at x.
inline IntVec dot4(IntVec sum, IntVec codes, const int8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
}
/// 128 * high + low, as floats.
inline __m512 join_halves(IntVec high, IntVec low) {
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
}

/// From 16 bytes of each of 16 rows, the 4 bytes number g of each, one row a lane: out[g]. Masked broadcasts join rows
/// without the shuffle unit, which the 8 unpacks keep busy.
inline void transpose(const std::byte* const* rows, uint64_t offset, IntVec out[4]) {
  __m512i quarter[4];  // [i] lane of 128 bits q: row 4 q + i
  for (uint32_t i = 0; i < 4; ++i) {
    const auto at = [&](uint32_t row) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset)); };
    __m512i joined = _mm512_castsi128_si512(at(i));
    joined = _mm512_mask_broadcast_i32x4(joined, 0x00f0, at(4 + i));
    joined = _mm512_mask_broadcast_i32x4(joined, 0x0f00, at(8 + i));
    quarter[i] = _mm512_mask_broadcast_i32x4(joined, 0xf000, at(12 + i));
  }
  const __m512i a = _mm512_unpacklo_epi32(quarter[0], quarter[1]), b = _mm512_unpackhi_epi32(quarter[0], quarter[1]);
  const __m512i c = _mm512_unpacklo_epi32(quarter[2], quarter[3]), d = _mm512_unpackhi_epi32(quarter[2], quarter[3]);
  out[0] = _mm512_unpacklo_epi64(a, c);
  out[1] = _mm512_unpackhi_epi64(a, c);
  out[2] = _mm512_unpacklo_epi64(b, d);
  out[3] = _mm512_unpackhi_epi64(b, d);
}

/// E2M1 values in halves, plus 12, so that they are unsigned; four times over, because vpermb looks at six bits.
inline IntVec fp4_codes() {
  return _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}

/// 16 E8M0 bytes as floats. Byte 0 (2^-127, no normal number) counts as 0, byte 255 as infinity.
inline __m512 e8m0_scales(const uint8_t* bytes) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 23));
}

/// Low nibbles, then high ones, of each vector.
inline void unpack_fp4(const IntVec nibbles[4], IntVec codes[kBlockCodes]) {
  const IntVec values = fp4_codes();
  for (uint32_t g = 0; g < 4; ++g) {
    codes[2 * g] = _mm512_permutexvar_epi8(nibbles[g], values);
    codes[2 * g + 1] = _mm512_permutexvar_epi8(_mm512_srli_epi16(nibbles[g], 4), values);
  }
}

/// 16 halves as floats.
inline __m512 f16_scales(const std::byte* halves) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
}

/// Scale bytes of 8 blocks of 16 rows, 8 bytes a row (rows 0 .. 7, then the others), as floats: [block][row].
inline void spread_scales(__m512i rows_0_7, __m512i rows_8_15, float* out) {
  static constexpr auto kPlaces = [] {
    struct Places {
      uint8_t byte[2][64];
    } places{};
    for (uint8_t b = 0; b < 8; ++b)
      for (uint8_t r = 0; r < 16; ++r) places.byte[b / 4][b % 4 * 16 + r] = static_cast<uint8_t>(r * 8 + b);
    return places;
  }();
  for (uint32_t half = 0; half < 2; ++half) {
    const __m512i bytes = _mm512_permutex2var_epi8(rows_0_7, _mm512_loadu_si512(kPlaces.byte[half]), rows_8_15);
    const auto put = [&](uint32_t b, __m128i of_block) {
      const __m512i wide = _mm512_slli_epi32(_mm512_cvtepu8_epi32(of_block), 23);
      _mm512_store_ps(out + (half * 4 + b) * kPanelLanes, _mm512_castsi512_ps(wide));
    };
    put(0, _mm512_castsi512_si128(bytes));
    put(1, _mm512_extracti32x4_epi32(bytes, 1));
    put(2, _mm512_extracti32x4_epi32(bytes, 2));
    put(3, _mm512_extracti32x4_epi32(bytes, 3));
  }
}

/// 16 rows of the file's own layout; a panel with fewer repeats its last row.
struct FilePanel {
  const std::byte* data[kPanelLanes];
  const std::byte* scale_rows[kPanelLanes];

  FilePanel() = default;
  FilePanel(const WeightRows& w, uint32_t first, uint32_t end) {
    for (uint32_t r = 0; r < kPanelLanes; ++r) {
      const uint64_t row = first + r < end ? first + r : end - 1;
      data[r] = w.data + row * w.row_stride_bytes;
      scale_rows[r] = w.scales ? w.scales + row * w.scale_stride_bytes : nullptr;
    }
  }

  /// Asks for what the slab after the next will read of each row, which is the beginning of the rows `step_rows`
  /// further once these end. Rows are short streams that the hardware meets late.
  void prefetch_rows(const WeightRows& w, uint64_t block_bytes, uint32_t block, uint32_t step_rows, bool last) const {
    const uint64_t slab_bytes = kSlabBlocks * block_bytes, row_bytes = w.cols / 32 * block_bytes;
    uint64_t offset = block * block_bytes + 2 * slab_bytes;
    if (offset >= row_bytes) {
      if (last) return;
      offset += step_rows * w.row_stride_bytes - row_bytes;
    }
    for (uint32_t r = 0; r < kPanelLanes; ++r)
      for (uint64_t at = 0; at < slab_bytes; at += 64)
        _mm_prefetch(reinterpret_cast<const char*>(data[r] + offset + at), _MM_HINT_T0);
  }
  void prefetch_block(uint32_t /*block*/) const {}
};

/// Scale bytes of a slab as floats.
inline void e8m0_slab(const uint8_t* bytes, uint32_t num_blocks, float* out) {
  for (uint32_t b = 0; b < num_blocks; ++b)
    _mm512_store_ps(out + b * kPanelLanes, e8m0_scales(bytes + b * kPanelLanes));
}

/// 17-byte blocks. Unpacked: elements 4g .. 4g + 3, then 16 + 4g .. 19 + 4g, g = 0 .. 3.
struct Mxfp4GgmlPanel : FilePanel {
  static constexpr uint64_t kBlockBytes = kMxfp4GgmlBlockBytes;
  using FilePanel::FilePanel;
  uint8_t scale_byte(uint32_t row, uint32_t block) const {
    return static_cast<uint8_t>(data[row][block * kBlockBytes]);
  }
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    if (num_blocks == 8) {  // their scales lie in 120 bytes: one permutation a row
      static constexpr auto kPlaces = [] {
        struct Places {
          uint8_t byte[64];
        } places{};
        for (uint8_t i = 0; i < 64; ++i) places.byte[i] = static_cast<uint8_t>(i % 8 * kBlockBytes);
        return places;
      }();
      const __m512i places = _mm512_loadu_si512(kPlaces.byte);
      __m512i of_rows[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
      for (uint32_t r = 0; r < kPanelLanes; ++r) {
        const std::byte* at = data[r] + block * kBlockBytes;
        const __m512i picked = _mm512_permutex2var_epi8(_mm512_loadu_si512(at), places, _mm512_loadu_si512(at + 64));
        of_rows[r / 8] = _mm512_mask_mov_epi64(of_rows[r / 8], static_cast<__mmask8>(1u << r % 8), picked);
      }
      return spread_scales(of_rows[0], of_rows[1], out);
    }
    alignas(64) uint8_t bytes[kSlabBlocks * kPanelLanes];
    for (uint32_t b = 0; b < num_blocks; ++b)
      for (uint32_t r = 0; r < kPanelLanes; ++r) bytes[b * kPanelLanes + r] = scale_byte(r, block + b);
    e8m0_slab(bytes, num_blocks, out);
  }
  void packed(uint32_t block, IntVec out[4]) const { transpose(data, block * kBlockBytes + 1, out); }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    IntVec nibbles[4];
    packed(block, nibbles);
    unpack_fp4(nibbles, out);
  }
  void prefetch_slab(const WeightRows& w, uint32_t block, uint32_t step_rows, bool last) const {
    prefetch_rows(w, kBlockBytes, block, step_rows, last);
  }
};

/// 16-byte blocks, scales apart. Unpacked: elements 8g, 8g + 2, 8g + 4, 8g + 6, then the odd ones, g = 0 .. 3.
struct Mxfp4SplitPanel : FilePanel {
  static constexpr uint64_t kBlockBytes = kMxfp4SplitBlockBytes;
  using FilePanel::FilePanel;
  uint8_t scale_byte(uint32_t row, uint32_t block) const { return static_cast<uint8_t>(scale_rows[row][block]); }
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    if (num_blocks == 8) {
      __m512i of_rows[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
      for (uint32_t r = 0; r < kPanelLanes; ++r) {
        int64_t eight;
        __builtin_memcpy(&eight, scale_rows[r] + block, sizeof eight);
        of_rows[r / 8] = _mm512_mask_set1_epi64(of_rows[r / 8], static_cast<__mmask8>(1u << r % 8), eight);
      }
      return spread_scales(of_rows[0], of_rows[1], out);
    }
    alignas(64) uint8_t bytes[kSlabBlocks * kPanelLanes];
    for (uint32_t b = 0; b < num_blocks; ++b)
      for (uint32_t r = 0; r < kPanelLanes; ++r) bytes[b * kPanelLanes + r] = scale_byte(r, block + b);
    e8m0_slab(bytes, num_blocks, out);
  }
  void packed(uint32_t block, IntVec out[4]) const { transpose(data, block * kBlockBytes, out); }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    IntVec nibbles[4];
    packed(block, nibbles);
    unpack_fp4(nibbles, out);
  }
  void prefetch_slab(const WeightRows& w, uint32_t block, uint32_t step_rows, bool last) const {
    prefetch_rows(w, kBlockBytes, block, step_rows, last);
  }
};

/// 34-byte blocks. Unpacked: elements 4v .. 4v + 3, v = 0 .. 7, plus 128.
struct Q8Panel : FilePanel {
  static constexpr uint64_t kBlockBytes = kQ8BlockBytes;
  using FilePanel::FilePanel;
  /// The scales of a block, a half a row.
  void scale_halves(uint32_t block, std::byte* out) const {
    for (uint32_t r = 0; r < kPanelLanes; ++r) __builtin_memcpy(out + 2 * r, data[r] + block * kBlockBytes, 2);
  }
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    alignas(64) std::byte halves[kSlabBlocks * kPanelLanes * 2];
    for (uint32_t b = 0; b < num_blocks; ++b) scale_halves(block + b, halves + b * kPanelLanes * 2);
    for (uint32_t b = 0; b < num_blocks; ++b)
      _mm512_store_ps(out + b * kPanelLanes, f16_scales(halves + b * kPanelLanes * 2));
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    const IntVec zero_point = _mm512_set1_epi8(static_cast<char>(0x80));
    transpose(data, block * kBlockBytes + 2, out);
    transpose(data, block * kBlockBytes + 18, out + 4);
    for (uint32_t v = 0; v < kBlockCodes; ++v) out[v] = _mm512_xor_si512(out[v], zero_point);
  }
  void prefetch_slab(const WeightRows& w, uint32_t block, uint32_t step_rows, bool last) const {
    prefetch_rows(w, kBlockBytes, block, step_rows, last);
  }
};

/// A panel in the order of the products: for every block the vectors that codes() gives (MXFP4: two nibbles a byte),
/// then the scales of all blocks, 16 side by side. One stream, aligned, nothing left to turn.
template <uint64_t kCodeBytes, uint64_t kScaleBytes>
struct PackedPanel {
  const std::byte* block_codes;
  const std::byte* block_scales;

  static uint64_t panel_bytes(const WeightRows& w) {
    return (w.cols / 32 * (kCodeBytes + kPanelLanes * kScaleBytes) + 63) / 64 * 64;
  }
  PackedPanel() = default;
  PackedPanel(const WeightRows& w, uint32_t first, uint32_t /*end*/)
      : block_codes(w.data + first / kPanelLanes * panel_bytes(w)),
        block_scales(block_codes + w.cols / 32 * kCodeBytes) {}

  void prefetch_slab(const WeightRows& /*w*/, uint32_t /*block*/, uint32_t /*step_rows*/, bool /*last*/) const {}
  /// What is read 8 KB later, into L2. Panels follow one another, so at the end it is the next panel. A slab at once,
  /// or into L1: 26 instead of 32 GB/s.
  void prefetch_block(uint32_t block) const {
    const std::byte* ahead = block_codes + block * kCodeBytes + 8192;
    for (uint64_t at = 0; at < kCodeBytes; at += 64)
      _mm_prefetch(reinterpret_cast<const char*>(ahead + at), _MM_HINT_T1);
  }
};

struct PackedMxfp4Panel : PackedPanel<256, 1> {
  using PackedPanel::PackedPanel;
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    e8m0_slab(reinterpret_cast<const uint8_t*>(block_scales) + block * kPanelLanes, num_blocks, out);
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    IntVec nibbles[4];
    for (uint32_t g = 0; g < 4; ++g) nibbles[g] = _mm512_load_si512(block_codes + block * 256 + g * 64);
    unpack_fp4(nibbles, out);
  }
  template <class Panel>
  static void pack(const WeightRows& w, uint32_t first, std::byte* out) {
    const Panel panel(w, first, w.rows);
    const uint32_t blocks = w.cols / 32;
    for (uint32_t b = 0; b < blocks; ++b) {
      IntVec nibbles[4];
      panel.packed(b, nibbles);
      for (uint32_t g = 0; g < 4; ++g) _mm512_store_si512(out + b * 256 + g * 64, nibbles[g]);
      for (uint32_t r = 0; r < kPanelLanes; ++r)
        out[blocks * 256 + b * kPanelLanes + r] = static_cast<std::byte>(panel.scale_byte(r, b));
    }
  }
};

struct PackedQ8Panel : PackedPanel<512, 2> {
  using PackedPanel::PackedPanel;
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    for (uint32_t b = 0; b < num_blocks; ++b)
      _mm512_store_ps(out + b * kPanelLanes, f16_scales(block_scales + (block + b) * kPanelLanes * 2));
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    for (uint32_t v = 0; v < kBlockCodes; ++v) out[v] = _mm512_load_si512(block_codes + block * 512 + v * 64);
  }
  static void pack(const WeightRows& w, uint32_t first, std::byte* out) {
    const Q8Panel panel(w, first, w.rows);
    const uint32_t blocks = w.cols / 32;
    for (uint32_t b = 0; b < blocks; ++b) {
      IntVec codes[kBlockCodes];
      panel.codes(b, codes);
      for (uint32_t v = 0; v < kBlockCodes; ++v) _mm512_store_si512(out + b * 512 + v * 64, codes[v]);
      panel.scale_halves(b, out + blocks * 512 + b * kPanelLanes * 2);
    }
  }
};

uint64_t packed_panel_bytes(const WeightRows& w) {
  return w.dtype == Dtype::kQ8_0 ? PackedQ8Panel::panel_bytes(w) : PackedMxfp4Panel::panel_bytes(w);
}

void pack_panel(const WeightRows& w, uint32_t first_row, std::byte* out) {
  if (w.dtype == Dtype::kQ8_0) return PackedQ8Panel::pack(w, first_row, out);
  if (w.layout == Mxfp4Layout::kGgml) return PackedMxfp4Panel::pack<Mxfp4GgmlPanel>(w, first_row, out);
  PackedMxfp4Panel::pack<Mxfp4SplitPanel>(w, first_row, out);
}

/// How the codes of a format are to be met by inputs.
struct InputOrder {
  uint8_t element[32];  // which element of the block comes at this place
  int32_t zero_point;   // what the codes have too much
  float unit;           // what a code of 1 is worth
};

constexpr InputOrder ggml_order() {
  InputOrder order{{}, 12, 0.5f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = static_cast<uint8_t>(i / 8 * 4 + i % 4 + (i / 4 % 2) * 16);
  return order;
}
constexpr InputOrder split_order() {
  InputOrder order{{}, 12, 0.5f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = static_cast<uint8_t>(i / 8 * 8 + i % 4 * 2 + i / 4 % 2);
  return order;
}
constexpr InputOrder q8_order() {
  InputOrder order{{}, 128, 1.f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = i;
  return order;
}
constexpr InputOrder kGgmlOrder = ggml_order(), kSplitOrder = split_order(), kQ8Order = q8_order();

inline const InputOrder& input_order(const WeightRows& w) {
  if (w.dtype == Dtype::kQ8_0) return kQ8Order;
  return w.layout == Mxfp4Layout::kGgml ? kGgmlOrder : kSplitOrder;
}

/// One block of 32 inputs. A NaN among them makes the scale one.
inline void quantize_block(const float* x, const InputOrder& order, int8_t* halves, float* scale, int32_t* offset) {
  const __m512 first = _mm512_loadu_ps(x), second = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(first), _mm512_abs_ps(second)));
  const bool zeros = largest < kQuantizedMin;
  const __m512 factor = _mm512_set1_ps(zeros ? 0.f : static_cast<float>(kQuantizedMax) / largest);
  const __mmask16 not_numbers = _mm512_cmp_ps_mask(first, second, _CMP_UNORD_Q);
  *scale = not_numbers ? __builtin_nanf("") : zeros ? 0.f : largest * (order.unit / static_cast<float>(kQuantizedMax));
  const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(first, factor));
  const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(second, factor));
  *offset = -order.zero_point * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
  const auto high = [](__m512i q) { return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(64)), 7); };
  const __m512i high_a = high(a), high_b = high(b);
  const auto bytes = [](__m512i p, __m512i q) {
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(q), _mm512_cvtepi32_epi8(p));
  };
  const __m256i place = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order.element));
  const __m256i highs = bytes(high_a, high_b);
  const __m256i lows =
      bytes(_mm512_sub_epi32(a, _mm512_slli_epi32(high_a, 7)), _mm512_sub_epi32(b, _mm512_slli_epi32(high_b, 7)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves), _mm256_permutexvar_epi8(place, highs));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves + 32), _mm256_permutexvar_epi8(place, lows));
}

}  // namespace
}  // namespace gossamer::kernels::avx512
