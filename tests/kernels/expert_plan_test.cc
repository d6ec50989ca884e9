#include "kernels/expert_plan.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace gossamer::kernels {
namespace {

TEST(ExpertPlan, EverySlotStandsOnceUnderItsExpert) {
  std::mt19937 rng(1);
  ExpertPlan plan;
  for (int round = 0; round < 50; ++round) {
    const uint32_t experts = 1 + rng() % 128;
    std::vector<uint32_t> indices(rng() % 300);
    for (uint32_t& e : indices) e = rng() % experts;
    plan_experts(indices, experts, plan);
    std::set<uint32_t> seen;
    uint32_t expected_begin = 0, last_expert = 0;
    for (const auto& group : plan.groups) {
      EXPECT_EQ(group.begin, expected_begin);
      EXPECT_LT(group.begin, group.end);
      EXPECT_TRUE(&group == plan.groups.data() || group.expert > last_expert);
      for (uint32_t place = group.begin; place < group.end; ++place) {
        EXPECT_EQ(indices[plan.slots[place]], group.expert);
        EXPECT_TRUE(seen.insert(plan.slots[place]).second);
        EXPECT_TRUE(place == group.begin || plan.slots[place - 1] < plan.slots[place]);
      }
      expected_begin = group.end;
      last_expert = group.expert;
    }
    EXPECT_EQ(seen.size(), indices.size());
  }
}

}  // namespace
}  // namespace gossamer::kernels
