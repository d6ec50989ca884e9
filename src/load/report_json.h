#pragma once

#include <vector>

#include "base/json.h"
#include "load/figures.h"

namespace gossamer::load {

/// One side: an object with `url`, `model`, rates, latencies with percentiles, errors by kind. Two: `servers`, and the
/// `ratio` of the first to the second for each figure. docs/cli.md lists the fields.
json::object report_json(const std::vector<LoadSide>& sides);

}  // namespace gossamer::load
