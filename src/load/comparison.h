#pragma once

#include <vector>

#include "http/http_client.h"
#include "load/figures.h"

namespace gossamer::load {

/// Runs the same load against several servers in turn, in rounds, the order turned round each time: what the machine
/// does meanwhile hits all of them. Each round is an equal part of the requests, or of the time, with the same prompts
/// and arrivals for everybody. One side is simply run. Adds to `sides[i].result`; clients[i] is its client. `observer`
/// also gets the side and the round; a run that it stops is the last one.
using SideObserver = std::function<bool(size_t side, uint32_t round, const LoadProgress&)>;
void run_sides(std::vector<LoadSide>& sides, const std::vector<http::HttpClient*>& clients, uint32_t rounds,
               const SideObserver& observer = {});

/// The part of a plan that round `round` of `rounds` is.
LoadPlan plan_of_round(const LoadPlan& plan, uint32_t round, uint32_t rounds);

}  // namespace gossamer::load
