#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"
#include "kernels/cuda/strips.h"
#include "kernels/ops.h"

namespace gossamer::kernels::cuda {

/// What weights of that dtype become; nothing where no strip holds them exactly (F32).
std::optional<StripFormat> strip_format_of(Dtype dtype);

/// A row of a strip. Without a matrix it is zeros.
struct StripRow {
  const WeightRows* w = nullptr;
  uint32_t row = 0;
  float bias = 0;
};

/// The rows of several matrices, one below the other; biases may be null.
struct BiasedRows {
  const WeightRows* w;
  const float* bias;
};
std::vector<StripRow> rows_below_each_other(std::span<const BiasedRows> matrices);

/// Gate and up of an expert: eight rows of the one, the same eight of the other, so that a thread has both of a unit.
/// The strips have 2 * round_up(F, 8) rows.
std::vector<StripRow> rows_side_by_side(const BiasedRows& gate, const BiasedRows& up);

/// The same rows in the order of RowOrder::kHeadHalves; there is a multiple of 64 of them.
std::vector<StripRow> halves_of_heads(std::span<const StripRow> rows);

/// The shape of strips with these rows; all matrices have the same columns. Errors: their dtypes differ, or no strip
/// holds them.
Result<StripShape> strip_shape(std::span<const StripRow> rows);

/// Whether all scales of a matrix are such as mxfp4_scale_folds() admits; true of formats that have none of MXFP4.
bool scales_fold(const WeightRows& w);

/// Writes shape.bytes() at `out` (aligned to 16); rows that are missing from the last strip are zeros. The weights are
/// exactly those of the file. Errors: a scale of MXFP4 that half precision cannot follow (2^114 and more).
Status pack_strips(const StripShape& shape, std::span<const StripRow> rows, std::byte* out);

}  // namespace gossamer::kernels::cuda
