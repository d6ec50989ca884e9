// Part of one ISA's file: included inside its namespace, after its int_simd.h.
//
// Products in whole numbers, exact within each block of 32: sum over the blocks of scale * sum(code * input), the
// blocks in their order. So a result's bits depend on K alone: not on how many inputs there are, nor on the tile they
// meet in.
//
// Each lane holds a row: no sum over lanes is needed, and results are neighbours in memory. Weights in the file's
// layout are turned on the way, packed ones lie that way already. Up to six inputs meet the weights in registers. For
// more, weights in the file's layout lie in L1 as codes of 8 bits, a slab (kSlabBlocks blocks of kStepRows rows) at a
// time, and meet all inputs there; packed ones are cheap enough to be read again for every six.
#pragma once

constexpr uint32_t kStepPanels = 2;
constexpr uint32_t kStepRows = kStepPanels * kPanelLanes;
constexpr uint32_t kIntTileInputs = 4;  // with 2 panels: 16 + 8 sums
constexpr uint32_t kDirectInputs = 6;   // with 1 panel: 12 + 6 sums, and 8 vectors of weights on their way
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

/// Bias and residual, then out: `rows` results of one input.
inline void put_sums(const GemmArgs& args, uint32_t input, uint32_t row, uint32_t rows, const Vec* sums) {
  for (uint32_t done = 0; done < rows; done += kPanelLanes, ++sums) {
    const uint32_t n = rows - done < kPanelLanes ? rows - done : kPanelLanes;
    float* out = args.out[input] + (row + done - args.out_first_row);
    const auto get = [&](const float* p) { return n == kPanelLanes ? load(p) : load_first(p, n); };
    Vec value = *sums;
    if (args.bias) value = add(value, get(args.bias + row + done));
    if (args.accumulate) value = add(get(out), value);
    n == kPanelLanes ? store(out, value) : store_first(out, value, n);
  }
}

/// One panel of rows times kInputs inputs, from memory through registers into the sums.
template <class Panel, uint32_t kInputs>
void int_direct_tile(const GemmArgs& args, const Panel& panel, uint32_t row, uint32_t row_end, uint32_t input) {
  alignas(64) float scales[kSlabBlocks * kPanelLanes];
  const QuantizedRow* inputs = args.quantized + input;
  const uint32_t blocks = args.w.cols / 32;
  Vec total[kInputs];
  for (Vec& t : total) t = zero();
  for (uint32_t slab = 0; slab < blocks; slab += kSlabBlocks) {
    const uint32_t end = blocks - slab < kSlabBlocks ? blocks : slab + kSlabBlocks;
    if (input == 0) panel.prefetch_slab(args.w, slab, kPanelLanes, row + kPanelLanes >= row_end);
    panel.scales(slab, end - slab, scales);
    for (uint32_t b = slab; b < end; ++b) {
      IntVec codes[kBlockCodes], high[kInputs], low[kInputs];
      if (input == 0) panel.prefetch_block(b);
      panel.codes(b, codes);
      for (uint32_t t = 0; t < kInputs; ++t) {
        high[t] = int_zero();
        low[t] = int_set1(inputs[t].offsets[b]);
      }
      for (uint32_t v = 0; v < kBlockCodes; ++v)
        for (uint32_t t = 0; t < kInputs; ++t) {
          const int8_t* x = inputs[t].halves + b * 64 + v * 4;
          high[t] = dot4(high[t], codes[v], x);
          low[t] = dot4(low[t], codes[v], x + 32);
        }
      const Vec of_block = load(scales + (b - slab) * kPanelLanes);
      for (uint32_t t = 0; t < kInputs; ++t)
        total[t] = fma(join_halves(high[t], low[t]), mul(of_block, set1(inputs[t].scales[b])), total[t]);
    }
  }
  for (uint32_t t = 0; t < kInputs; ++t)
    put_sums(args, input + t, row, row_end - row < kPanelLanes ? row_end - row : kPanelLanes, &total[t]);
}

/// The memory-bound case of decode, and packed weights whatever the number of inputs: tiles of at most
/// kDirectInputs, as even as they get.
template <class Panel>
void int_direct(const GemmArgs& args, uint32_t row_begin, uint32_t row_end) {
  const uint32_t tiles = (args.num_x + kDirectInputs - 1) / kDirectInputs;
  for (uint32_t row = row_begin; row < row_end; row += kPanelLanes) {
    const Panel panel(args.w, row, row_end);
    uint32_t input = 0;
    for (uint32_t tile = 0; tile < tiles; ++tile) {
      const uint32_t inputs = (args.num_x - input + tiles - tile - 1) / (tiles - tile);
      switch (inputs) {
        case 1:
          int_direct_tile<Panel, 1>(args, panel, row, row_end, input);
          break;
        case 2:
          int_direct_tile<Panel, 2>(args, panel, row, row_end, input);
          break;
        case 3:
          int_direct_tile<Panel, 3>(args, panel, row, row_end, input);
          break;
        case 4:
          int_direct_tile<Panel, 4>(args, panel, row, row_end, input);
          break;
        case 5:
          int_direct_tile<Panel, 5>(args, panel, row, row_end, input);
          break;
        default:
          int_direct_tile<Panel, 6>(args, panel, row, row_end, input);
          break;
      }
      input += inputs;
    }
  }
}

/// Slabs of the file's layout, unpacked once for all inputs: turning rows costs as much as three inputs do.
template <class Panel>
void int_slabs(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, const IntScratch& scratch) {
  if (args.num_x <= kDirectInputs) return int_direct<Panel>(args, row_begin, row_end);
  const uint32_t blocks = args.w.cols / 32;
  for (uint32_t row = row_begin; row < row_end; row += kStepRows) {
    const uint32_t rows = row_end - row < kStepRows ? row_end - row : kStepRows;
    const uint32_t panels = rows > kPanelLanes ? 2 : 1;
    Panel panel[kStepPanels];
    for (uint32_t p = 0; p < panels; ++p) panel[p] = Panel(args.w, row + p * kPanelLanes, row_end);
    __builtin_memset(scratch.sums, 0, static_cast<uint64_t>(args.num_x) * kStepRows * sizeof(float));
    for (uint32_t block = 0; block < blocks; block += kSlabBlocks) {
      const uint32_t n = blocks - block < kSlabBlocks ? blocks - block : kSlabBlocks;
      for (uint32_t p = 0; p < panels; ++p) {
        panel[p].prefetch_slab(args.w, block, kStepRows, row + kStepRows >= row_end);
        panel[p].scales(block, n, scratch.scales + p * kSlabBlocks * kPanelLanes);
        for (uint32_t b = 0; b < n; ++b) {
          IntVec codes[kBlockCodes];
          panel[p].codes(block + b, codes);
          for (uint32_t v = 0; v < kBlockCodes; ++v)
            store_codes(scratch.codes + p * kSlabCodeBytes + (b * kBlockCodes + v) * 64, codes[v]);
        }
      }
      panels == 2 ? multiply_slab<2>(args, block, n, scratch) : multiply_slab<1>(args, block, n, scratch);
    }
    for (uint32_t t = 0; t < args.num_x; ++t) {
      const float* of_input = scratch.sums + static_cast<uint64_t>(t) * kStepRows;
      const Vec sums[kStepPanels] = {load(of_input), load(of_input + kPanelLanes)};
      put_sums(args, t, row, rows, sums);
    }
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
  const bool is_q8 = args.w.dtype == Dtype::kQ8_0;
  if (args.w.packed)
    return is_q8 ? int_direct<PackedQ8Panel>(args, row_begin, row_end)
                 : int_direct<PackedMxfp4Panel>(args, row_begin, row_end);
  if (is_q8) return int_slabs<Q8Panel>(args, row_begin, row_end, scratch);
  if (args.w.layout == Mxfp4Layout::kGgml) return int_slabs<Mxfp4GgmlPanel>(args, row_begin, row_end, scratch);
  int_slabs<Mxfp4SplitPanel>(args, row_begin, row_end, scratch);
}
