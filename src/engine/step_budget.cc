#include "engine/step_budget.h"

#include <algorithm>

namespace gossamer {
namespace {

/// What the slowest hundredth of the answers' steps may slow down by while a prompt is computed beside them: at most
/// twice is promised. Tried and lost: 1.8 and 1.6 times the mean of steps without prompts, compared with the mean of
/// those with them; both have slow ones for reasons of the machine's, so the p99 came out anywhere from 1.8 to 2.2.
constexpr double kSlowdownGoal = 1.7;

/// So often a step leaves prompts waiting, to see what answers alone take by now.
constexpr uint32_t kStepsBetweenProbes = 64;

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
    decode.add_row(sequence->scheduled, 1, /*samples=*/true);
  }
  const uint32_t most = scheduler.limits().max_step_tokens;
  if (decode.tokens == 0) {
    const bool knows_nothing = costs.seconds({1, 1, 1}) == 0;
    return knows_nothing ? std::min(most, kFirstStepTokens)
                         : std::max(costs.tokens_within(kLongestStepSeconds, decode, prompt_depth, most), 1u);
  }
  if (tpot_goal_seconds == 0 && costs.steps_since_answers_alone() >= kStepsBetweenProbes) return 0;
  const double goal = tpot_goal_seconds > 0
                          ? tpot_goal_seconds
                          : kSlowdownGoal * costs.seconds(decode) * costs.p99_over_predicted(/*has_prompt=*/false);
  return costs.tokens_within(goal / costs.p99_over_predicted(/*has_prompt=*/true), decode, prompt_depth, most);
}

}  // namespace gossamer
