// Part of one ISA's file: included inside its namespace, after its int_simd.h.
//
// Products in whole numbers, exact within each block of 32: sum over the blocks of scale * sum(code * input), the
// blocks in their order. So a result's bits depend on K alone: not on how many inputs there are, nor on the tile they
// meet in.
//
// Weights stay in the file's layout. A slab (kSlabBlocks blocks of kStepRows rows) is turned so that each lane holds a
// row, lies in L1 as codes of 8 bits, and meets all inputs there: no sum over lanes is needed, and results are
// neighbours in memory.
#pragma once

constexpr uint32_t kStepPanels = 2;
constexpr uint32_t kStepRows = kStepPanels * kPanelLanes;
constexpr uint32_t kIntTileInputs = 4;  // with 2 panels: 16 + 8 sums
constexpr uint64_t kSlabCodeBytes = uint64_t{kSlabBlocks} * kBlockCodes * kPanelLanes * 4;  // of one panel

/// Unpacked weights of kStepPanels panels and the sums of all inputs so far.
struct IntScratch {
  uint8_t* codes;  // [panel][block][kBlockCodes][lanes][4]
  float* scales;   // [panel][block][lanes]
  float* sums;     // [input][panel][lanes]
};

bool takes_integers(const WeightRows& w) {
  return w.cols % 32 == 0 && (w.dtype == Dtype::kMxfp4 || w.dtype == Dtype::kQ8_0);
}

void quantize(const float* x, const WeightRows& w, const QuantizedRow& out) {
  const InputOrder& order = input_order(w);
  for (uint32_t b = 0; b < w.cols / 32; ++b)
    quantize_block(x + b * 32, order, out.halves + b * 64, out.scales + b, out.offsets + b);
}

/// kInputs inputs times the slab in scratch, whose first block is number `block` of the row.
template <uint32_t kPanels, uint32_t kInputs>
void int_tile(const QuantizedRow* inputs, uint32_t block, uint32_t num_blocks, const IntScratch& scratch, float* sums) {
  Vec total[kPanels][kInputs];
  for (uint32_t p = 0; p < kPanels; ++p)
    for (uint32_t t = 0; t < kInputs; ++t) total[p][t] = load(sums + (t * kStepPanels + p) * kPanelLanes);
  for (uint32_t b = 0; b < num_blocks; ++b) {
    IntVec high[kPanels][kInputs], low[kPanels][kInputs];
    for (uint32_t p = 0; p < kPanels; ++p)
      for (uint32_t t = 0; t < kInputs; ++t) {
        high[p][t] = int_zero();
        low[p][t] = int_set1(inputs[t].offsets[block + b]);
      }
    for (uint32_t v = 0; v < kBlockCodes; ++v) {
      IntVec codes[kPanels];
      for (uint32_t p = 0; p < kPanels; ++p)
        codes[p] = load_codes(scratch.codes + p * kSlabCodeBytes + (b * kBlockCodes + v) * 64);
      for (uint32_t t = 0; t < kInputs; ++t) {
        const int8_t* x = inputs[t].halves + (block + b) * 64 + v * 4;
        for (uint32_t p = 0; p < kPanels; ++p) high[p][t] = dot4(high[p][t], codes[p], x);
        for (uint32_t p = 0; p < kPanels; ++p) low[p][t] = dot4(low[p][t], codes[p], x + 32);
      }
    }
    for (uint32_t p = 0; p < kPanels; ++p) {
      const Vec scales = load(scratch.scales + (p * kSlabBlocks + b) * kPanelLanes);
      for (uint32_t t = 0; t < kInputs; ++t)
        total[p][t] =
            fma(join_halves(high[p][t], low[p][t]), mul(scales, set1(inputs[t].scales[block + b])), total[p][t]);
    }
  }
  for (uint32_t p = 0; p < kPanels; ++p)
    for (uint32_t t = 0; t < kInputs; ++t) store(sums + (t * kStepPanels + p) * kPanelLanes, total[p][t]);
}

template <uint32_t kPanels>
void multiply_slab(const GemmArgs& args, uint32_t block, uint32_t num_blocks, const IntScratch& scratch) {
  uint32_t t = 0;
  const auto sums = [&] { return scratch.sums + static_cast<uint64_t>(t) * kStepRows; };
  for (; t + kIntTileInputs <= args.num_x; t += kIntTileInputs)
    int_tile<kPanels, kIntTileInputs>(args.quantized + t, block, num_blocks, scratch, sums());
  switch (args.num_x - t) {
    case 3:
      return int_tile<kPanels, 3>(args.quantized + t, block, num_blocks, scratch, sums());
    case 2:
      return int_tile<kPanels, 2>(args.quantized + t, block, num_blocks, scratch, sums());
    case 1:
      return int_tile<kPanels, 1>(args.quantized + t, block, num_blocks, scratch, sums());
    default:
      return;
  }
}

inline PanelRows panel_rows(const WeightRows& w, uint32_t first, uint32_t end) {
  PanelRows rows;
  for (uint32_t r = 0; r < kPanelLanes; ++r) {
    const uint64_t row = first + r < end ? first + r : end - 1;
    rows.data[r] = w.data + row * w.row_stride_bytes;
    rows.scales[r] = w.scales ? w.scales + row * w.scale_stride_bytes : nullptr;
  }
  return rows;
}

/// Asks for what the slab after the next will read of each row, which is the beginning of the rows of the next step
/// once these end. Rows are short streams that the hardware meets late.
template <class Panel>
void prefetch_slab(const PanelRows& rows, const WeightRows& w, uint32_t block, uint32_t step_rows, bool last_step) {
  constexpr uint64_t kSlabBytes = kSlabBlocks * Panel::kBlockBytes;
  const uint64_t row_bytes = w.cols / 32 * Panel::kBlockBytes;
  uint64_t offset = block * Panel::kBlockBytes + 2 * kSlabBytes;
  if (offset >= row_bytes) {
    if (last_step) return;
    offset += step_rows * w.row_stride_bytes - row_bytes;
  }
  for (uint32_t r = 0; r < kPanelLanes; ++r)
    for (uint64_t at = 0; at < kSlabBytes; at += 64)
      _mm_prefetch(reinterpret_cast<const char*>(rows.data[r] + offset + at), _MM_HINT_T0);
}

/// Bias and residual, then out.
inline void put_sums(const GemmArgs& args, uint32_t row, uint32_t rows, const float* sums) {
  for (uint32_t t = 0; t < args.num_x; ++t, sums += kStepRows)
    for (uint32_t done = 0; done < rows; done += kPanelLanes) {
      const uint32_t n = rows - done < kPanelLanes ? rows - done : kPanelLanes;
      float* out = args.out[t] + (row + done - args.out_first_row);
      const auto get = [&](const float* p) { return n == kPanelLanes ? load(p) : load_first(p, n); };
      Vec value = load(sums + done);
      if (args.bias) value = add(value, get(args.bias + row + done));
      if (args.accumulate) value = add(get(out), value);
      n == kPanelLanes ? store(out, value) : store_first(out, value, n);
    }
}

/// One panel from memory through registers into the sums of few inputs: the memory-bound case of decode. From seven
/// inputs on the sums do not fit the registers and unpacked slabs win.
template <class Panel, uint32_t kInputs>
void int_direct(const GemmArgs& args, uint32_t row_begin, uint32_t row_end) {
  alignas(64) float scales[kSlabBlocks * kPanelLanes];
  const uint32_t blocks = args.w.cols / 32;
  for (uint32_t row = row_begin; row < row_end; row += kPanelLanes) {
    const PanelRows panel = panel_rows(args.w, row, row_end);
    Vec total[kInputs];
    for (Vec& t : total) t = zero();
    for (uint32_t slab = 0; slab < blocks; slab += kSlabBlocks) {
      const uint32_t end = blocks - slab < kSlabBlocks ? blocks : slab + kSlabBlocks;
      prefetch_slab<Panel>(panel, args.w, slab, kPanelLanes, row + kPanelLanes >= row_end);
      Panel::scales(panel, slab, end - slab, scales);
      for (uint32_t b = slab; b < end; ++b) {
        IntVec codes[kBlockCodes], high[kInputs], low[kInputs];
        Panel::codes(panel, b, codes);
        for (uint32_t t = 0; t < kInputs; ++t) {
          high[t] = int_zero();
          low[t] = int_set1(args.quantized[t].offsets[b]);
        }
        for (uint32_t v = 0; v < kBlockCodes; ++v)
          for (uint32_t t = 0; t < kInputs; ++t) {
            const int8_t* x = args.quantized[t].halves + b * 64 + v * 4;
            high[t] = dot4(high[t], codes[v], x);
            low[t] = dot4(low[t], codes[v], x + 32);
          }
        const Vec of_block = load(scales + (b - slab) * kPanelLanes);
        for (uint32_t t = 0; t < kInputs; ++t)
          total[t] = fma(join_halves(high[t], low[t]), mul(of_block, set1(args.quantized[t].scales[b])), total[t]);
      }
    }
    alignas(64) float sums[kInputs * kStepRows];
    for (uint32_t t = 0; t < kInputs; ++t) store(sums + t * kStepRows, total[t]);
    put_sums(args, row, row_end - row < kPanelLanes ? row_end - row : kPanelLanes, sums);
  }
}

template <class Panel>
void int_gemm_with(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, const IntScratch& scratch) {
  switch (args.num_x) {
    case 1:
      return int_direct<Panel, 1>(args, row_begin, row_end);
    case 2:
      return int_direct<Panel, 2>(args, row_begin, row_end);
    case 3:
      return int_direct<Panel, 3>(args, row_begin, row_end);
    case 4:
      return int_direct<Panel, 4>(args, row_begin, row_end);
    case 5:
      return int_direct<Panel, 5>(args, row_begin, row_end);
    case 6:
      return int_direct<Panel, 6>(args, row_begin, row_end);
    default:
      break;
  }
  const uint32_t blocks = args.w.cols / 32;
  for (uint32_t row = row_begin; row < row_end; row += kStepRows) {
    const uint32_t rows = row_end - row < kStepRows ? row_end - row : kStepRows;
    const uint32_t panels = rows > kPanelLanes ? 2 : 1;
    PanelRows panel[kStepPanels];
    for (uint32_t p = 0; p < panels; ++p) panel[p] = panel_rows(args.w, row + p * kPanelLanes, row_end);
    __builtin_memset(scratch.sums, 0, static_cast<uint64_t>(args.num_x) * kStepRows * sizeof(float));
    for (uint32_t block = 0; block < blocks; block += kSlabBlocks) {
      const uint32_t n = blocks - block < kSlabBlocks ? blocks - block : kSlabBlocks;
      for (uint32_t p = 0; p < panels; ++p) {
        prefetch_slab<Panel>(panel[p], args.w, block, kStepRows, row + kStepRows >= row_end);
        Panel::scales(panel[p], block, n, scratch.scales + p * kSlabBlocks * kPanelLanes);
        for (uint32_t b = 0; b < n; ++b) {
          IntVec codes[kBlockCodes];
          Panel::codes(panel[p], block + b, codes);
          for (uint32_t v = 0; v < kBlockCodes; ++v)
            store_codes(scratch.codes + p * kSlabCodeBytes + (b * kBlockCodes + v) * 64, codes[v]);
        }
      }
      panels == 2 ? multiply_slab<2>(args, block, n, scratch) : multiply_slab<1>(args, block, n, scratch);
    }
    put_sums(args, row, rows, scratch.sums);
  }
}

/// Bytes of scratch for `num_x` inputs.
inline uint64_t int_scratch_bytes(uint32_t num_x) {
  return 64 + kStepPanels * (kSlabCodeBytes + kSlabBlocks * kPanelLanes * sizeof(float)) +
         static_cast<uint64_t>(num_x) * kStepRows * sizeof(float);
}

void int_gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, void* memory) {
  auto* aligned = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
  auto* scales = reinterpret_cast<float*>(aligned + kStepPanels * kSlabCodeBytes);
  const IntScratch scratch{aligned, scales, scales + kStepPanels * kSlabBlocks * kPanelLanes};
  if (args.w.dtype == Dtype::kQ8_0) return int_gemm_with<Q8Panel>(args, row_begin, row_end, scratch);
  if (args.w.layout == Mxfp4Layout::kGgml) return int_gemm_with<Mxfp4GgmlPanel>(args, row_begin, row_end, scratch);
  int_gemm_with<Mxfp4SplitPanel>(args, row_begin, row_end, scratch);
}
