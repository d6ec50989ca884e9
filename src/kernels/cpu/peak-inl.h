// Part of one ISA's file: included inside its namespace, after int_gemm-inl.h.
//
// What the arithmetic units can do when nothing keeps them waiting: the roofs that kernels are measured against.
#pragma once

/// `rounds` times 12 independent chains of multiply-adds. Gives their sum, so that they are computed.
float float_peak(uint64_t rounds) {
  constexpr uint32_t kChains = 12;  // more than latency times units
  Vec sums[kChains];
  for (Vec& s : sums) s = zero();
  const Vec a = set1(0.5f), b = set1(1.f);
  for (uint64_t round = 0; round < rounds; ++round)
    for (Vec& s : sums) s = fma(s, a, b);
  Vec total = zero();
  for (const Vec& s : sums) total = add(total, s);
  return sum(total);
}
constexpr double kFloatPeakFlops = 12.0 * 2 * kLanes;  // of a round

/// `rounds` blocks of MXFP4's products with inputs of 8 bits, a tile of inputs each, without bringing weights there and
/// without scales.
float integer_peak(uint64_t rounds) {
  alignas(64) std::byte memory[kBlockCodes * kVectorBytes] = {};
  alignas(64) int8_t halves[16 * 64] = {};
  int32_t offsets[1] = {1};
  const QuantizedRow inputs{halves, nullptr, offsets, offsets};
  IntVec codes[kBlockCodes];
  for (uint32_t v = 0; v < kBlockCodes; ++v) codes[v] = int_load(memory + v * kVectorBytes);
  HighProduct products[HighProduct::kTileInputs];
  for (HighProduct& p : products) p.start(inputs, 0);
  for (uint64_t round = 0; round < rounds; ++round)
    for (uint32_t v = 0; v < kBlockCodes; v += HighProduct::kCodes)
      for (uint32_t t = 0; t < HighProduct::kTileInputs; ++t) products[t].add(codes, v, halves + (round + t) % 16 * 64);
  Vec total = zero();
  for (const HighProduct& p : products) total = add(total, p.value());
  return sum(total);
}
constexpr double kIntegerPeakFlops = HighProduct::kTileInputs * 2.0 * 32 * kPanelLanes;  // of a round
