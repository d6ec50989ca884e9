#pragma once

#include <string>
#include <vector>

#include "load/figures.h"

namespace gossamer::load {

/// A page with the plan, the figures, errors by kind, and charts: latencies as shares of all requests, tokens and
/// requests a second over time. Everything is in the page: no scripts, nothing from elsewhere.
std::string report_html(const std::vector<LoadSide>& sides);

}  // namespace gossamer::load
