#pragma once

#include "kernels/ops.h"

namespace gossamer {

/// How matrices other than the experts' are kept: as the file has them, or (those of 16 and 32 bits) as Q8_0, which is
/// half of BF16 and loses something (docs/forward.md).
enum class DenseDtype : uint8_t { kAsStored, kInt8 };

/// `rows` as they are to be kept: with another dtype where they are to be rounded. Their data stays where it is.
kernels::WeightRows kept_as(const kernels::WeightRows& rows, DenseDtype dtype);

/// Rounds rows first .. first + count - 1 to Q8_0: blocks of 32, a half for a scale (the largest of them is 127 steps),
/// then 32 int8. `out`: count * row_bytes(kQ8_0, rows.cols).
void write_q8_0(const kernels::WeightRows& rows, uint32_t first, uint32_t count, std::byte* out);

}  // namespace gossamer
