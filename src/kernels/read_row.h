#pragma once

#include "kernels/ops.h"

namespace gossamer::kernels {

/// Row `row` of `w` as float32 into out[0 .. w.cols): the definition of every stored format, one element at a time.
void read_row(const WeightRows& w, uint32_t row, float* out);

}  // namespace gossamer::kernels
