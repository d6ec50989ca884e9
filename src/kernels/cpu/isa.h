#pragma once
/// What one instruction set contributes: single-threaded inner loops over plain pointers. The folders avx2/ and avx512/
/// each fill this table from files of the same names; threads, planning and memory stay in kernels/cpu/*.cc, compiled
/// for every machine.

#include <cstdint>

#include "kernels/ops.h"

namespace gossamer::kernels {

/// A block of rows of `w` times some inputs: for row_begin <= row < row_end,
/// out[t][row - out_first_row] = w[row] . x[t] + bias[row], or += that.
struct GemmArgs {
  WeightRows w;
  const float* bias;       // [rows] or null
  const float* const* x;   // [num_x] pointers to inputs of w.cols floats
  float* const* out;       // [num_x] pointers to outputs
  uint32_t out_first_row;  // row whose result is out[t][0]
  uint32_t num_x;
  bool accumulate;
};

/// One token, one KV head, the `group` query heads that share it.
struct AttendArgs {
  const float* q;  // [group, Dh]
  const float* k;  // first visible position, this KV head; positions are kv_stride apart
  const float* v;
  uint64_t kv_stride;
  uint32_t num_positions;  // visible ones
  uint32_t group, head_dim;
  const float* sinks;  // [group]
  float scale;
  float* scores;  // scratch [group, num_positions]
  float* out;     // [group, Dh]
};

struct IsaKernels {
  const char* name;
  /// True where gemm() takes this matrix: columns a multiple of 32.
  bool (*takes_gemm)(const WeightRows& w);
  /// `panel`: scratch of gemm_panel_floats(w.cols) floats.
  void (*gemm)(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* panel);
  /// True where attend() takes this head dimension.
  bool (*takes_attend)(uint32_t head_dim);
  void (*attend)(const AttendArgs& args);
  /// inner[i] = swiglu(gate[i], up[i]); `n` of any size, out may be gate.
  void (*swiglu)(const float* gate, const float* up, uint32_t n, float limit, float* out);
  void (*rmsnorm)(const float* x, const float* weight, float eps, uint32_t n, float* out);
  /// out[i] += sum over a of weights[a] * x[a][i], in the order of a.
  void (*add_weighted)(const float* const* x, const float* weights, uint32_t num_x, uint32_t n, float* out);
};

/// Rows that gemm() unpacks at a time when several inputs share them: 16 rows of 2880 float32 are 180 KB, which stay in
/// L2.
inline constexpr uint32_t kPanelRows = 16;
inline uint64_t gemm_panel_floats(uint32_t cols) {
  return static_cast<uint64_t>(kPanelRows) * cols;
}

namespace avx2 {
const IsaKernels& isa_kernels();
}
namespace avx512 {
const IsaKernels& isa_kernels();
}

}  // namespace gossamer::kernels
