#pragma once

#include <string>

#include "simulator/simulate.h"

namespace gossamer::simulator {

/// The run as a picture (SVG): requests running and waiting above, tokens in and out below, over virtual time.
std::string draw_chart(const SimulationResult& result, const std::string& title);

}  // namespace gossamer::simulator
