#include "engine/step_budget.h"

#include <algorithm>

namespace gossamer {
namespace {

/// What answers may slow down by while a prompt is computed beside them: at most twice is promised, and predictions are
/// off by some per cent.
constexpr double kSlowdownGoal = 1.8;

/// Where nobody is held up a step may still not take longer: a cancel is seen between steps. On a CPU that is a hundred
/// tokens of a 20b, by far enough to read every expert once for many of them.
constexpr double kLongestStepSeconds = 4;
constexpr uint32_t kFirstStepTokens = 128;

}  // namespace

uint32_t step_budget(const Scheduler& scheduler, const CostModel& costs, double tpot_goal_seconds) {
  CostModel::Step decode;
  uint32_t prompt_depth = 0;
  for (const Sequence* sequence : scheduler.running()) {
    if (sequence->is_prefilling()) {
      prompt_depth = std::max(prompt_depth, sequence->scheduled);
      continue;
    }
    decode.add_row(sequence->scheduled, 1);
  }
  const uint32_t most = scheduler.limits().max_step_tokens;
  if (decode.tokens == 0) {
    const bool knows_nothing = costs.seconds({1, 1, 1}) == 0;
    return knows_nothing ? std::min(most, kFirstStepTokens)
                         : std::max(costs.tokens_within(kLongestStepSeconds, decode, prompt_depth, most), 1u);
  }
  const double goal = tpot_goal_seconds > 0 ? tpot_goal_seconds : kSlowdownGoal * costs.seconds(decode);
  return costs.tokens_within(goal, decode, prompt_depth, most);
}

}  // namespace gossamer
