#include "load/comparison.h"

namespace gossamer::load {

LoadPlan plan_of_round(const LoadPlan& plan, uint32_t round, uint32_t rounds) {
  LoadPlan part = plan;
  const uint64_t first = plan.pace.requests * round / rounds;
  part.pace.requests = plan.pace.requests * (round + 1) / rounds - first;
  part.pace.duration_seconds = plan.pace.duration_seconds / rounds;
  part.pace.seed = plan.pace.seed + round;
  part.first_index = plan.first_index + first;
  return part;
}

void run_sides(std::vector<LoadSide>& sides, const std::vector<http::HttpClient*>& clients, uint32_t rounds,
               const SideObserver& observer) {
  for (uint32_t round = 0; round < rounds; ++round)
    for (size_t i = 0; i < sides.size(); ++i) {
      const size_t side = round % 2 == 0 ? i : sides.size() - 1 - i;
      const LoadPlan part = plan_of_round(sides[side].plan, round, rounds);
      if (part.pace.requests == 0 && part.pace.duration_seconds == 0) continue;  // fewer requests than rounds
      const LoadResult result = run_load(*clients[side], part, [&](const LoadProgress& progress) {
        return !observer || observer(side, round, progress);
      });
      sides[side].result.append(result);
      if (result.stopped) return;
    }
}

}  // namespace gossamer::load
