#include "kernels/expert_plan.h"

namespace gossamer::kernels {

void plan_experts(std::span<const uint32_t> indices, uint32_t num_experts, ExpertPlan& plan) {
  std::vector<uint32_t> next(num_experts + 1, 0);  // counting sort: first slot of each expert
  for (uint32_t expert : indices) ++next[expert + 1];
  for (uint32_t expert = 0; expert < num_experts; ++expert) next[expert + 1] += next[expert];
  plan.groups.clear();
  for (uint32_t expert = 0; expert < num_experts; ++expert)
    if (next[expert] != next[expert + 1]) plan.groups.push_back({expert, next[expert], next[expert + 1]});
  plan.slots.resize(indices.size());
  for (uint32_t slot = 0; slot < indices.size(); ++slot) plan.slots[next[indices[slot]]++] = slot;
}

}  // namespace gossamer::kernels
