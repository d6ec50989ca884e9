#pragma once

#include <string>
#include <vector>

#include "load/figures.h"

namespace gossamer::load {

/// A line for each request, in the order in which they ended, under a line that names the columns: server (A, B),
/// begin_s, latency_ms, ttft_ms, input_tokens, output_tokens, events, outcome (answered, failed, unfinished), error.
std::string report_csv(const std::vector<LoadSide>& sides);

}  // namespace gossamer::load
