// Part of one ISA's file: included inside its namespace, after all other loops.
#pragma once

constexpr IsaKernels table(const char* name) {
  return {
      .name = name,
      .takes_gemm = takes_gemm,
      .gemm = gemm,
      .takes_integers = takes_integers,
      .quantize = quantize,
      .int_gemm = int_gemm,
      .int_scratch_bytes = int_scratch_bytes,
      .panel_rows = kPanelLanes,
      .packed_panel_bytes = packed_panel_bytes,
      .pack_panel = pack_panel,
      .takes_tiles = nullptr,
      .to_bf16 = nullptr,
      .tile_gemm = nullptr,
      .tile_scratch_bytes = nullptr,
      .takes_attend = takes_attend,
      .attend_chunk = attend_chunk,
      .attend_chunk_rounded = nullptr,
      .merge_attention = merge_attention,
      .swiglu = swiglu,
      .rmsnorm = rmsnorm,
      .add_weighted = add_weighted,
      .float_peak = float_peak,
      .float_peak_flops = kFloatPeakFlops,
      .rounded_peak = integer_peak,
      .rounded_peak_flops = kIntegerPeakFlops,
  };
}
