#include "load/comparison.h"

#include <gtest/gtest.h>

#include "load/fake_api.h"

namespace gossamer::load {
namespace {

TEST(Rounds, ArePartsOfThePlan) {
  LoadPlan plan = plan_of(10, 4);
  plan.pace.duration_seconds = 9;
  plan.pace.seed = 5;
  uint64_t next = 0;
  for (uint32_t round = 0; round < 3; ++round) {
    const LoadPlan part = plan_of_round(plan, round, 3);
    EXPECT_EQ(part.first_index, next);
    EXPECT_EQ(part.pace.duration_seconds, 3);
    EXPECT_EQ(part.pace.seed, 5 + round);
    EXPECT_EQ(part.pace.concurrency, 4u);
    next += part.pace.requests;
  }
  EXPECT_EQ(next, 10u);
}

TEST(Sides, TakeTurnsWithTheSameRequests) {
  std::mutex mutex;
  std::string order;
  const auto answer_as = [&](char name) {
    return [&, name](std::shared_ptr<http::Exchange> exchange) {
      {
        const std::lock_guard lock(mutex);
        order += name;
      }
      FakeApi::stream(*exchange, 1);
    };
  };
  FakeApi first(answer_as('A')), second(answer_as('B'));
  LoadPlan plan = plan_of(6, 1);
  plan.request.prompts.clear();
  plan.request.made_up_tokens = 9;
  std::vector<LoadSide> sides = {{first.address(), plan}, {second.address(), plan}};
  run_sides(sides, {&first.client(), &second.client()}, 3);
  EXPECT_EQ(order, "AABBBBAAAABB");
  for (const LoadSide& side : sides) {
    EXPECT_EQ(side.result.tally.answered, 6u);
    EXPECT_EQ(side.result.records.size(), 6u);
  }
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(first.requests().at(i).body, second.requests().at(i).body);
}

TEST(Sides, TimesOfRoundsFollowOneAnother) {
  LoadResult result;
  result.append({.wall_seconds = 2, .records = {{.begin_seconds = 0.5}}});
  result.append({.wall_seconds = 3, .records = {{.begin_seconds = 0.25}}});
  EXPECT_EQ(result.wall_seconds, 5);
  EXPECT_EQ(result.records.at(1).begin_seconds, 2.25);
}

TEST(Sides, MoreRoundsThanRequests) {
  FakeApi api([](std::shared_ptr<http::Exchange> exchange) { FakeApi::stream(*exchange, 1); });
  std::vector<LoadSide> sides = {{api.address(), plan_of(2, 1)}};
  run_sides(sides, {&api.client()}, 5);
  EXPECT_EQ(sides[0].result.tally.answered, 2u);
}

TEST(Sides, OneThatIsStoppedIsTheLast) {
  FakeApi first([](std::shared_ptr<http::Exchange> exchange) { FakeApi::stream(*exchange, 1); });
  FakeApi second([](std::shared_ptr<http::Exchange> exchange) { FakeApi::stream(*exchange, 1); });
  LoadPlan plan = plan_of(0, 1);
  plan.pace.duration_seconds = 60;
  std::vector<LoadSide> sides = {{first.address(), plan}, {second.address(), plan}};
  run_sides(sides, {&first.client(), &second.client()}, 2,
            [](size_t, uint32_t, const LoadProgress& progress) { return progress.ended < 3; });
  EXPECT_TRUE(sides[0].result.stopped);
  EXPECT_EQ(second.requests().size(), 0u);
}

}  // namespace
}  // namespace gossamer::load
