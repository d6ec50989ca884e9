#pragma once

#include <cstdint>

#include "engine/cost_model.h"
#include "engine/scheduler.h"

namespace gossamer {

/// How many tokens the next step may compute: what takes four seconds, where nobody waits for a token; otherwise what
/// keeps the time between tokens within `tpot_goal_seconds` (0: within 1.7 times that of steps without prompts) 99
/// times of 100, as `costs` predicts it. 0: answers alone, once in a while, to see what they take.
uint32_t step_budget(const Scheduler& scheduler, const CostModel& costs, double tpot_goal_seconds);

}  // namespace gossamer
