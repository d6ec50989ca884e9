#pragma once
/// What one instruction set contributes: single-threaded inner loops over plain pointers. The folders avx2/, avx512/
/// and avx512bf16/ each fill this table from files of the same names; threads, planning and memory stay in
/// kernels/cpu/*.cc, compiled for every machine.

#include <cstdint>

#include "kernels/cpu/quantized_row.h"
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
  const QuantizedRow* quantized;  // [num_x] the inputs for int_gemm(), which does not look at x
  uint32_t input_bits;            // of those: 15, or 8 where fewer will do
  /// [num_x, w.cols] the inputs for tile_gemm(), one after the other, and memory of 15 more behind them.
  const std::byte* bf16_x;
};

/// Softmax over some positions before its last division, for the query heads of one group.
struct AttentionState {
  float* maximum;  // [group] the largest score, m
  float* sum;      // [group] sum of e^(score - m)
  float* mix;      // [group, Dh] sum of e^(score - m) * value
};

/// One token, one KV head, the `group` query heads that share it, positions begin .. end - 1 of one chunk of
/// kAttentionChunkTokens (chunks begin at multiples of it).
struct AttendArgs {
  const float* q;                  // [group, Dh]
  const std::byte* const* blocks;  // of the sequence, by number; those with visible positions are read
  KvDtype dtype;
  uint64_t keys, values;              // offsets in a block, of this KV head
  uint64_t key_scales, value_scales;  // int8; 0 for other dtypes
  uint32_t begin, end;
  uint32_t group, head_dim;
  float scale;
  float* scores;  // scratch [group, kAttentionChunkTokens]
};

struct IsaKernels {
  const char* name;
  /// True where gemm() takes this matrix: columns a multiple of 32.
  bool (*takes_gemm)(const WeightRows& w);
  /// `panel`: scratch of gemm_panel_floats(w.cols) floats.
  void (*gemm)(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* panel);
  /// True where int_gemm() takes this matrix: MXFP4 or Q8_0, columns a multiple of 32.
  bool (*takes_integers)(const WeightRows& w);
  /// `x`: w.cols floats; `out` is for products with matrices of w's format.
  void (*quantize)(const float* x, const WeightRows& w, const QuantizedRow& out);
  /// As gemm(), of args.quantized. `scratch`: int_scratch_bytes(args.w).
  void (*int_gemm)(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, void* scratch);
  uint64_t (*int_scratch_bytes)(const WeightRows& w);
  /// Rows of a panel of a packed matrix, bytes of one, and how the panel from `first_row` on is made.
  uint32_t panel_rows;
  uint64_t (*packed_panel_bytes)(const WeightRows& w);
  void (*pack_panel)(const WeightRows& w, uint32_t first_row, std::byte* out);
  /// True where tile_gemm() takes this matrix. All four are null where there are no tiles.
  bool (*takes_tiles)(const WeightRows& w);
  /// Rounds a row of inputs for tile_gemm() with matrices of w's format; `out`: 2 * w.cols bytes.
  void (*to_bf16)(const float* x, const WeightRows& w, std::byte* out);
  /// As gemm(), of args.bf16_x. `scratch`: tile_scratch_bytes(args.w).
  void (*tile_gemm)(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, void* scratch);
  uint64_t (*tile_scratch_bytes)(const WeightRows& w);
  /// True where attend_chunk() takes this head dimension.
  bool (*takes_attend)(uint32_t head_dim);
  /// Sets `state` to that of the chunk.
  void (*attend_chunk)(const AttendArgs& args, const AttentionState& state);
  /// The same for a cache of KvDtype::kBf16, with queries and weights rounded to bf16 as well; null where there is
  /// none.
  void (*attend_chunk_rounded)(const AttendArgs& args, const AttentionState& state);
  /// Adds a chunk to the state of all chunks before it.
  void (*merge_attention)(uint32_t group, uint32_t head_dim, const AttentionState& chunk, const AttentionState& state);
  /// inner[i] = swiglu(gate[i], up[i]); `n` of any size, out may be gate.
  void (*swiglu)(const float* gate, const float* up, uint32_t n, float limit, float* out);
  void (*rmsnorm)(const float* x, const float* weight, float eps, uint32_t n, float* out);
  /// out[i] += sum over a of weights[a] * x[a][i], in the order of a.
  void (*add_weighted)(const float* const* x, const float* weights, uint32_t num_x, uint32_t n, float* out);
  /// Keep the units for products busy, with float32 and with the coarsest inputs; the numbers are operations a round.
  float (*float_peak)(uint64_t rounds);
  double float_peak_flops;
  float (*rounded_peak)(uint64_t rounds);
  double rounded_peak_flops;
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
namespace avx512bf16 {
const IsaKernels& isa_kernels();
}
namespace amx {
const IsaKernels& isa_kernels();
/// Whether a product of tiles is what it should be: asked once, before a machine's tiles are trusted with a model.
bool tiles_work();
}  // namespace amx

}  // namespace gossamer::kernels
