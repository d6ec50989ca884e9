#pragma once

#include <string>
#include <vector>

#include "load/figures.h"

namespace gossamer::load {

/// RESULTS for people, several lines: rates, percentiles, errors by kind. Two sides stand beside each other, with the
/// ratio of the first to the second. Control characters that a server sent are shown as blanks.
std::string report_table(const std::vector<LoadSide>& sides);

}  // namespace gossamer::load
