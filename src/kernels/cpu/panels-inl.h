// Part of one ISA's file: included inside its namespace, after its int_simd.h.
//
// Panels: kPanelLanes rows of a matrix as the integer products read them, a block of 32 columns at a time, from the
// file's own layouts and from the packed one.
#pragma once

constexpr uint32_t kBlockCodes = 8;  // vectors of unpacked codes in a block: 4 elements a lane each
constexpr uint64_t kVectorBytes = 4 * kPanelLanes;

/// Rows of the file's own layout, in blocks of kBytes; a panel with fewer than its lanes repeats its last row.
template <uint64_t kBytes>
struct FilePanel {
  static constexpr uint64_t kBlockBytes = kBytes;
  const std::byte* data[kPanelLanes];
  const std::byte* scale_rows[kPanelLanes];

  FilePanel(const WeightRows& w, uint32_t first, uint32_t end) {
    for (uint32_t r = 0; r < kPanelLanes; ++r) {
      const uint64_t row = first + r < end ? first + r : end - 1;
      data[r] = w.data + row * w.row_stride_bytes;
      scale_rows[r] = w.scales ? w.scales + row * w.scale_stride_bytes : nullptr;
    }
  }

  /// Asks for what the slab after the next will read of each row, which is the beginning of the next panel's rows
  /// once these end. Rows are short streams that the hardware meets late.
  void prefetch_slab(const WeightRows& w, uint32_t block, bool last_panel) const {
    constexpr uint64_t kSlabBytes = kSlabBlocks * kBlockBytes;
    const uint64_t row_bytes = w.cols / 32 * kBlockBytes;
    uint64_t offset = block * kBlockBytes + 2 * kSlabBytes;
    if (offset >= row_bytes) {
      if (last_panel) return;
      offset += kPanelLanes * w.row_stride_bytes - row_bytes;
    }
    for (uint32_t r = 0; r < kPanelLanes; ++r)
      for (uint64_t at = 0; at < kSlabBytes; at += 64)
        _mm_prefetch(reinterpret_cast<const char*>(data[r] + offset + at), _MM_HINT_T0);
  }
  void prefetch_block(uint32_t /*block*/) const {}
};

/// Scale bytes of a slab as floats.
inline void e8m0_slab(const uint8_t* bytes, uint32_t num_blocks, float* out) {
  for (uint32_t b = 0; b < num_blocks; ++b) store(out + b * kPanelLanes, e8m0_scales(bytes + b * kPanelLanes));
}

/// kGgml: blocks of 17 bytes, the scale first. Unpacked: elements 4g .. 4g + 3, then 16 + 4g .. 19 + 4g, g = 0 .. 3.
/// kSplit: blocks of 16 bytes, scales apart. Unpacked: elements 8g, 8g + 2, 8g + 4, 8g + 6, then the odd ones.
template <Mxfp4Layout kLayout>
struct Mxfp4Panel : FilePanel<kLayout == Mxfp4Layout::kGgml ? kMxfp4GgmlBlockBytes : kMxfp4SplitBlockBytes> {
  static constexpr bool kGgml = kLayout == Mxfp4Layout::kGgml;
  using Base = FilePanel<kGgml ? kMxfp4GgmlBlockBytes : kMxfp4SplitBlockBytes>;
  using Base::Base, Base::data, Base::scale_rows, Base::kBlockBytes;

  uint8_t scale_byte(uint32_t row, uint32_t block) const {
    return static_cast<uint8_t>(kGgml ? data[row][block * kBlockBytes] : scale_rows[row][block]);
  }
  /// Of a whole slab: false where one by one is as fast.
  bool gather_scales(uint32_t block, float* out) const {
    return kGgml ? gather_ggml_scales(data, block * kBlockBytes, out) : gather_split_scales(scale_rows, block, out);
  }
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    if (num_blocks == kSlabBlocks && gather_scales(block, out)) return;
    alignas(64) uint8_t bytes[kSlabBlocks * kPanelLanes];
    for (uint32_t b = 0; b < num_blocks; ++b)
      for (uint32_t r = 0; r < kPanelLanes; ++r) bytes[b * kPanelLanes + r] = scale_byte(r, block + b);
    e8m0_slab(bytes, num_blocks, out);
  }
  void nibbles(uint32_t block, IntVec out[4]) const { transpose(data, block * kBlockBytes + (kGgml ? 1 : 0), out); }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    IntVec packed[4];
    nibbles(block, packed);
    unpack_fp4(packed, out);
  }
};

/// 34-byte blocks. Unpacked: elements 4v .. 4v + 3, v = 0 .. 7.
struct Q8Panel : FilePanel<kQ8BlockBytes> {
  using FilePanel::FilePanel;

  /// The scales of a block, a half a row.
  void scale_halves(uint32_t block, std::byte* out) const {
    for (uint32_t r = 0; r < kPanelLanes; ++r) __builtin_memcpy(out + 2 * r, data[r] + block * kBlockBytes, 2);
  }
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    alignas(64) std::byte halves[kSlabBlocks * kPanelLanes * 2];
    for (uint32_t b = 0; b < num_blocks; ++b) scale_halves(block + b, halves + b * kPanelLanes * 2);
    for (uint32_t b = 0; b < num_blocks; ++b) store(out + b * kPanelLanes, f16_scales(halves + b * kPanelLanes * 2));
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    transpose(data, block * kBlockBytes + 2, out);
    transpose(data, block * kBlockBytes + 18, out + 4);
    for (uint32_t v = 0; v < kBlockCodes; ++v) out[v] = q8_codes(out[v]);
  }
};

/// A panel in the order of the products: for every block the vectors that codes() gives (MXFP4: two nibbles a byte),
/// then the scales of all blocks, those of a block side by side. One stream, aligned, nothing left to turn.
template <uint64_t kVectors, uint64_t kScaleBytes>
struct PackedPanel {
  static constexpr uint64_t kCodeBytes = kVectors * kVectorBytes;  // of a block
  const std::byte* block_codes;
  const std::byte* block_scales;

  static uint64_t panel_bytes(const WeightRows& w) {
    return (w.cols / 32 * (kCodeBytes + kPanelLanes * kScaleBytes) + 63) / 64 * 64;
  }
  PackedPanel(const std::byte* panel, uint32_t cols)
      : block_codes(panel), block_scales(panel + cols / 32 * kCodeBytes) {}
  PackedPanel(const WeightRows& w, uint32_t first, uint32_t /*end*/)
      : PackedPanel(w.data + first / kPanelLanes * panel_bytes(w), w.cols) {}

  void prefetch_slab(const WeightRows& /*w*/, uint32_t /*block*/, bool /*last_panel*/) const {}
  /// What is read 8 KB later, into L2. Panels follow one another, so at the end it is the next panel. A slab at once,
  /// or into L1: 26 instead of 32 GB/s.
  void prefetch_block(uint32_t block) const {
    const std::byte* ahead = block_codes + block * kCodeBytes + 8192;
    for (uint64_t at = 0; at < kCodeBytes; at += 64)
      _mm_prefetch(reinterpret_cast<const char*>(ahead + at), _MM_HINT_T1);
  }
};

struct PackedMxfp4Panel : PackedPanel<4, 1> {
  using PackedPanel::PackedPanel;
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    e8m0_slab(reinterpret_cast<const uint8_t*>(block_scales) + block * kPanelLanes, num_blocks, out);
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    IntVec nibbles[4];
    for (uint32_t g = 0; g < 4; ++g) nibbles[g] = int_load(block_codes + block * kCodeBytes + g * kVectorBytes);
    unpack_fp4(nibbles, out);
  }
  template <class Panel>
  static void pack(const WeightRows& w, uint32_t first, std::byte* out) {
    const Panel panel(w, first, w.rows);
    const uint32_t blocks = w.cols / 32;
    for (uint32_t b = 0; b < blocks; ++b) {
      IntVec nibbles[4];
      panel.nibbles(b, nibbles);
      for (uint32_t g = 0; g < 4; ++g) int_store(out + b * kCodeBytes + g * kVectorBytes, nibbles[g]);
      for (uint32_t r = 0; r < kPanelLanes; ++r)
        out[blocks * kCodeBytes + b * kPanelLanes + r] = static_cast<std::byte>(panel.scale_byte(r, b));
    }
  }
};

struct PackedQ8Panel : PackedPanel<kBlockCodes, 2> {
  using PackedPanel::PackedPanel;
  void scales(uint32_t block, uint32_t num_blocks, float* out) const {
    for (uint32_t b = 0; b < num_blocks; ++b)
      store(out + b * kPanelLanes, f16_scales(block_scales + (block + b) * kPanelLanes * 2));
  }
  void codes(uint32_t block, IntVec out[kBlockCodes]) const {
    for (uint32_t v = 0; v < kBlockCodes; ++v) out[v] = int_load(block_codes + block * kCodeBytes + v * kVectorBytes);
  }
  static void pack(const WeightRows& w, uint32_t first, std::byte* out) {
    const Q8Panel panel(w, first, w.rows);
    const uint32_t blocks = w.cols / 32;
    for (uint32_t b = 0; b < blocks; ++b) {
      IntVec codes[kBlockCodes];
      panel.codes(b, codes);
      for (uint32_t v = 0; v < kBlockCodes; ++v) int_store(out + b * kCodeBytes + v * kVectorBytes, codes[v]);
      panel.scale_halves(b, out + blocks * kCodeBytes + b * kPanelLanes * 2);
    }
  }
};

uint64_t packed_panel_bytes(const WeightRows& w) {
  return w.dtype == Dtype::kQ8_0 ? PackedQ8Panel::panel_bytes(w) : PackedMxfp4Panel::panel_bytes(w);
}

void pack_panel(const WeightRows& w, uint32_t first_row, std::byte* out) {
  if (w.dtype == Dtype::kQ8_0) return PackedQ8Panel::pack(w, first_row, out);
  if (w.layout == Mxfp4Layout::kGgml) return PackedMxfp4Panel::pack<Mxfp4Panel<Mxfp4Layout::kGgml>>(w, first_row, out);
  PackedMxfp4Panel::pack<Mxfp4Panel<Mxfp4Layout::kSplit>>(w, first_row, out);
}
