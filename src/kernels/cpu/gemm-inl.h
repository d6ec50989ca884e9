// Part of one ISA's file: included inside its namespace, after readers-inl.h.
//
// Up to four inputs: rows stream straight from memory through registers into the sums (`direct`), the memory-bound case
// of decode. More: kPanelRows rows are unpacked once into float32 that stays in L2 (`panel`) and then meet all inputs
// in register tiles, the arithmetic-bound case of prefill. Both add the same exact products in the same order, one
// chain a vector lane: same bits, whatever the batch.
#pragma once

inline void put(const GemmArgs& args, uint32_t input, uint32_t row, float dot) {
  if (args.bias) dot += args.bias[row];
  float& out = args.out[input][row - args.out_first_row];
  out = args.accumulate ? out + dot : dot;
}

/// kRows rows from `row` on, one input.
template <class Reader, uint32_t kRows>
void direct(const GemmArgs& args, uint32_t row, uint32_t input) {
  Reader reader[kRows];
  for (uint32_t r = 0; r < kRows; ++r) reader[r] = Reader(args.w, row + r);
  Vec sums[kRows];
  for (uint32_t r = 0; r < kRows; ++r) sums[r] = zero();
  const float* x = args.x[input];
  const uint32_t blocks = args.w.cols / 32;
  const uint64_t ahead =
      kRows * args.w.row_stride_bytes;  // the same place in the next rows: streams are short, so hardware is late
  for (uint32_t b = 0; b < blocks; ++b) {
    Vec xs[kBlockVectors];
    for (uint32_t i = 0; i < kBlockVectors; ++i) xs[i] = load(x + b * 32 + i * kLanes);
    for (uint32_t r = 0; r < kRows; ++r) {
      _mm_prefetch(reinterpret_cast<const char*>(reader[r].row + b * Reader::kBlockBytes + ahead), _MM_HINT_T0);
      const Block w = reader[r].block(b);
      for (uint32_t i = 0; i < kBlockVectors; ++i) sums[r] = fma(w.v[i], xs[i], sums[r]);
    }
  }
  for (uint32_t r = 0; r < kRows; ++r) put(args, input, row + r, sum(sums[r]));
}

/// kRows rows from `row` on, kInputs inputs: each block of weights is unpacked once for all of them.
template <class Reader, uint32_t kRows, uint32_t kInputs>
void direct_tile(const GemmArgs& args, uint32_t row) {
  Reader reader[kRows];
  for (uint32_t r = 0; r < kRows; ++r) reader[r] = Reader(args.w, row + r);
  Vec sums[kRows][kInputs];
  for (auto& line : sums)
    for (Vec& s : line) s = zero();
  const uint32_t blocks = args.w.cols / 32;
  const uint64_t ahead = kRows * args.w.row_stride_bytes;
  for (uint32_t b = 0; b < blocks; ++b) {
    Block w[kRows];
    for (uint32_t r = 0; r < kRows; ++r) {
      _mm_prefetch(reinterpret_cast<const char*>(reader[r].row + b * Reader::kBlockBytes + ahead), _MM_HINT_T0);
      w[r] = reader[r].block(b);
    }
    for (uint32_t i = 0; i < kBlockVectors; ++i)
      for (uint32_t t = 0; t < kInputs; ++t) {
        const Vec x = load(args.x[t] + b * 32 + i * kLanes);
        for (uint32_t r = 0; r < kRows; ++r) sums[r][t] = fma(w[r].v[i], x, sums[r][t]);
      }
  }
  for (uint32_t r = 0; r < kRows; ++r)
    for (uint32_t t = 0; t < kInputs; ++t) put(args, t, row + r, sum(sums[r][t]));
}

template <class Reader, uint32_t kInputs>
void direct_tiles(const GemmArgs& args, uint32_t row_begin, uint32_t row_end) {
  uint32_t row = row_begin;
  for (; row + kDirectTileRows <= row_end; row += kDirectTileRows)
    direct_tile<Reader, kDirectTileRows, kInputs>(args, row);
  for (; row < row_end; ++row) direct_tile<Reader, 1, kInputs>(args, row);
}

template <class Reader>
void direct_row(const GemmArgs& args, uint32_t row_begin, uint32_t row_end) {
  uint32_t row = row_begin;
  for (; row + kDirectRows <= row_end; row += kDirectRows) direct<Reader, kDirectRows>(args, row, 0);
  for (; row < row_end; ++row) direct<Reader, 1>(args, row, 0);
}

/// Row `row` as float32.
template <class Reader>
void unpack(const WeightRows& w, uint32_t row, float* out) {
  const Reader reader(w, row);
  for (uint32_t b = 0; b < w.cols / 32; ++b) {
    const Block block = reader.block(b);
    for (uint32_t i = 0; i < kBlockVectors; ++i) store(out + b * 32 + i * kLanes, block.v[i]);
  }
}

/// kRows unpacked rows times kInputs inputs.
template <uint32_t kRows, uint32_t kInputs>
void tile(const GemmArgs& args, const float* panel, uint32_t row, uint32_t input) {
  const uint32_t cols = args.w.cols;
  Vec sums[kRows][kInputs];
  for (auto& line : sums)
    for (Vec& s : line) s = zero();
  for (uint32_t k = 0; k < cols; k += kLanes) {
    Vec w[kRows];
    for (uint32_t r = 0; r < kRows; ++r) w[r] = load(panel + static_cast<uint64_t>(r) * cols + k);
    for (uint32_t t = 0; t < kInputs; ++t) {
      const Vec x = load(args.x[input + t] + k);
      for (uint32_t r = 0; r < kRows; ++r) sums[r][t] = fma(w[r], x, sums[r][t]);
    }
  }
  for (uint32_t r = 0; r < kRows; ++r)
    for (uint32_t t = 0; t < kInputs; ++t) put(args, input + t, row + r, sum(sums[r][t]));
}

template <uint32_t kRows>
void tile_all_inputs(const GemmArgs& args, const float* panel, uint32_t row) {
  uint32_t input = 0;
  for (; input + kTileInputs <= args.num_x; input += kTileInputs) tile<kRows, kTileInputs>(args, panel, row, input);
  for (; input < args.num_x; ++input) tile<kRows, 1>(args, panel, row, input);
}

template <class Reader>
void gemm_with(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* panel) {
  switch (args.num_x) {  // unpacking to memory pays from five inputs on
    case 1:
      return direct_row<Reader>(args, row_begin, row_end);
    case 2:
      return direct_tiles<Reader, 2>(args, row_begin, row_end);
    case 3:
      return direct_tiles<Reader, 3>(args, row_begin, row_end);
    case 4:
      return direct_tiles<Reader, 4>(args, row_begin, row_end);
    default:
      break;
  }
  const uint64_t cols = args.w.cols;
  for (uint32_t first = row_begin; first < row_end; first += kPanelRows) {
    const uint32_t rows = row_end - first < kPanelRows ? row_end - first : kPanelRows;
    for (uint32_t r = 0; r < rows; ++r) unpack<Reader>(args.w, first + r, panel + r * cols);
    uint32_t r = 0;
    for (; r + kTileRows <= rows; r += kTileRows) tile_all_inputs<kTileRows>(args, panel + r * cols, first + r);
    for (; r < rows; ++r) tile_all_inputs<1>(args, panel + r * cols, first + r);
  }
}

bool takes_gemm(const WeightRows& w) {
  return w.cols % 32 == 0 && w.dtype != Dtype::kU8 && !w.packed;
}

void gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* panel) {
  switch (args.w.dtype) {
    case Dtype::kMxfp4:
      return args.w.layout == Mxfp4Layout::kGgml ? gemm_with<Mxfp4GgmlReader>(args, row_begin, row_end, panel)
                                                 : gemm_with<Mxfp4SplitReader>(args, row_begin, row_end, panel);
    case Dtype::kQ8_0:
      return gemm_with<Q8Reader>(args, row_begin, row_end, panel);
    case Dtype::kBf16:
      return gemm_with<Bf16Reader>(args, row_begin, row_end, panel);
    case Dtype::kF16:
      return gemm_with<F16Reader>(args, row_begin, row_end, panel);
    case Dtype::kF32:
      return gemm_with<F32Reader>(args, row_begin, row_end, panel);
    case Dtype::kU8:
      return;  // takes_gemm() refuses it
  }
}
