// Part of one ISA's file: included inside its namespace, after panels-inl.h.
//
// Products in whole numbers, exact within each block of 32: sum over the blocks of scale * sum(code * input), the
// blocks in their order. So a result's bits depend on K alone: not on how many inputs there are, nor on the tile they
// meet in.
//
// Each lane holds a row: no sum over lanes is needed, and results are neighbours in memory. Weights in the file's
// layout are turned on the way, packed ones lie that way already and are cheap enough to be read again for every tile
// of inputs.
#pragma once

bool takes_integers(const WeightRows& w) {
  return w.cols % 32 == 0 && (w.dtype == Dtype::kMxfp4 || w.dtype == Dtype::kQ8_0);
}

inline const InputOrder& input_order(const WeightRows& w) {
  static constexpr InputOrder kGgmlOrder = ggml_order(), kSplitOrder = split_order();
  if (w.dtype == Dtype::kQ8_0) return kQ8Order;
  return w.layout == Mxfp4Layout::kGgml ? kGgmlOrder : kSplitOrder;
}

void quantize(const float* x, const WeightRows& w, const QuantizedRow& out) {
  const InputOrder& order = input_order(w);
  for (uint32_t b = 0; b < w.cols / 32; ++b) quantize_block(x + b * 32, order, out, b);
}

/// Bias and residual, then out: the results of one input for the rows of a panel.
inline void put_panel(const GemmArgs& args, uint32_t input, uint32_t row, uint32_t rows, Vec value) {
  float* out = args.out[input] + (row - args.out_first_row);
  const auto get = [&](const float* p) { return rows == kPanelLanes ? load(p) : load_first(p, rows); };
  if (args.bias) value = add(value, get(args.bias + row));
  if (args.accumulate) value = add(get(out), value);
  rows == kPanelLanes ? store(out, value) : store_first(out, value, rows);
}

/// One panel times kInputs inputs, from memory through registers into the sums.
template <class Panel, class Product, uint32_t kInputs>
void int_tile(const GemmArgs& args, const Panel& panel, uint32_t row, uint32_t row_end, uint32_t input) {
  alignas(64) float scales[kSlabBlocks * kPanelLanes];
  const QuantizedRow* inputs = args.quantized + input;
  const uint32_t blocks = args.w.cols / 32;
  Vec total[kInputs];
  for (Vec& t : total) t = zero();
  for (uint32_t slab = 0; slab < blocks; slab += kSlabBlocks) {
    const uint32_t end = blocks - slab < kSlabBlocks ? blocks : slab + kSlabBlocks;
    if (input == 0) panel.prefetch_slab(args.w, slab, row + kPanelLanes >= row_end);
    panel.scales(slab, end - slab, scales);
    for (uint32_t b = slab; b < end; ++b) {
      IntVec codes[kBlockCodes];
      Product products[kInputs];
      if (input == 0) panel.prefetch_block(b);
      panel.codes(b, codes);
      for (uint32_t t = 0; t < kInputs; ++t) products[t].start(inputs[t], b);
      for (uint32_t v = 0; v < kBlockCodes; v += Product::kCodes)
        for (uint32_t t = 0; t < kInputs; ++t) products[t].add(codes, v, inputs[t].halves + b * 64);
      const Vec of_block = mul(load(scales + (b - slab) * kPanelLanes), set1(Product::kUnit));
      for (uint32_t t = 0; t < kInputs; ++t)
        total[t] = fma(products[t].value(), mul(of_block, set1(inputs[t].scales[b])), total[t]);
    }
  }
  const uint32_t rows = row_end - row < kPanelLanes ? row_end - row : kPanelLanes;
  for (uint32_t t = 0; t < kInputs; ++t) put_panel(args, input + t, row, rows, total[t]);
}

/// int_tile() of `inputs` inputs, which are at most kMost.
template <class Panel, class Product, uint32_t kMost = Product::kTileInputs>
void int_tile_of(uint32_t inputs, const GemmArgs& args, const Panel& panel, uint32_t row, uint32_t row_end,
                 uint32_t input) {
  if (inputs == kMost) return int_tile<Panel, Product, kMost>(args, panel, row, row_end, input);
  if constexpr (kMost > 1) int_tile_of<Panel, Product, kMost - 1>(inputs, args, panel, row, row_end, input);
}

/// One panel times all inputs, in tiles as even as they get.
template <class Product, class Panel>
void int_panel(const GemmArgs& args, const Panel& panel, uint32_t row, uint32_t row_end) {
  const uint32_t tiles = (args.num_x + Product::kTileInputs - 1) / Product::kTileInputs;
  uint32_t input = 0;
  for (uint32_t tile = 0; tile < tiles; ++tile) {
    const uint32_t inputs = (args.num_x - input + tiles - tile - 1) / (tiles - tile);
    int_tile_of<Panel, Product>(inputs, args, panel, row, row_end, input);
    input += inputs;
  }
}

template <class Panel, class Product>
void int_panels(const GemmArgs& args, uint32_t row_begin, uint32_t row_end) {
  for (uint32_t row = row_begin; row < row_end; row += kPanelLanes)
    int_panel<Product>(args, Panel(args.w, row, row_end), row, row_end);
}

/// Weights as the file has them. Turning rows costs as much as three inputs do: for more than a tile of inputs each
/// panel is packed first.
template <class Panel, class Packed, class Product>
void int_file_panels(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, std::byte* scratch) {
  if (args.num_x <= Product::kTileInputs) return int_panels<Panel, Product>(args, row_begin, row_end);
  for (uint32_t row = row_begin; row < row_end; row += kPanelLanes) {
    pack_panel(args.w, row, scratch);
    int_panel<Product>(args, Packed(scratch, args.w.cols), row, row_end);
  }
}

inline uint64_t int_scratch_bytes(const WeightRows& w) {
  return w.packed ? 0 : 64 + packed_panel_bytes(w);
}

/// The matrix's format decides which panels, the precision which products.
template <class Product>
void int_gemm_mxfp4(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, std::byte* scratch) {
  if (args.w.packed) return int_panels<PackedMxfp4Panel, Product>(args, row_begin, row_end);
  if (args.w.layout == Mxfp4Layout::kGgml)
    return int_file_panels<Mxfp4Panel<Mxfp4Layout::kGgml>, PackedMxfp4Panel, Product>(args, row_begin, row_end,
                                                                                      scratch);
  int_file_panels<Mxfp4Panel<Mxfp4Layout::kSplit>, PackedMxfp4Panel, Product>(args, row_begin, row_end, scratch);
}

template <class Product>
void int_gemm_q8(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, std::byte* scratch) {
  if (args.w.packed) return int_panels<PackedQ8Panel, Product>(args, row_begin, row_end);
  int_file_panels<Q8Panel, PackedQ8Panel, Product>(args, row_begin, row_end, scratch);
}

void int_gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, void* memory) {
  auto* scratch = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
  const bool in_8_bits = args.input_bits == 8;
  if (args.w.dtype == Dtype::kQ8_0)
    return in_8_bits ? int_gemm_q8<Q8HighProduct>(args, row_begin, row_end, scratch)
                     : int_gemm_q8<Q8Product>(args, row_begin, row_end, scratch);
  in_8_bits ? int_gemm_mxfp4<HighProduct>(args, row_begin, row_end, scratch)
            : int_gemm_mxfp4<HalvesProduct>(args, row_begin, row_end, scratch);
}
