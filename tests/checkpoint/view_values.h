#pragma once
/// The numbers behind a view, decoded one by one by the definition of each format: slow and plain, to compare layouts
/// with.

#include <vector>

#include "checkpoint/checkpoint.h"

namespace gossamer::testing {

std::vector<float> values_of(const MatrixView& view);
std::vector<float> values_of(const ExpertMatrixView& view);
std::vector<float> values_of(const ExpertBiasView& view);

}  // namespace gossamer::testing
