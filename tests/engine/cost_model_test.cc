#include "engine/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/step_budget.h"

namespace gossamer {
namespace {

/// A machine that takes as long as the model of costs says, give or take two per cent.
struct Machine {
  std::mt19937 random{1};
  double speed = 1;
  double seconds(const CostModel::Step& step) {
    const double distinct = 32 * (1 - std::pow(1 - 4.0 / 32, step.tokens));
    const double exact =
        0.02 + 1e-4 * step.tokens + 1e-8 * static_cast<double>(step.kv_tokens + step.attended_tokens) + 2e-3 * distinct;
    return exact / speed * std::uniform_real_distribution<>(0.98, 1.02)(random);
  }
};

TEST(CostModel, LearnsWhatStepsTake) {
  CostModel costs(32, 4);
  Machine machine;
  for (int i = 0; i < 300; ++i) {
    const uint32_t tokens = 1 + machine.random() % (i % 2 ? 8 : 512);
    const uint64_t depth = machine.random() % 4000;
    const CostModel::Step step{tokens, depth, tokens * depth};
    costs.observe(step, machine.seconds(step));
  }
  for (const uint32_t tokens : {1u, 4u, 32u, 300u}) {
    const CostModel::Step step{tokens, 1000, tokens * 1000ull};
    EXPECT_NEAR(costs.seconds(step) / machine.seconds(step), 1, 0.15) << tokens;
  }
}

TEST(CostModel, FindsTheLargestStepWithinItsTime) {
  CostModel costs(32, 4);
  Machine machine;
  for (int i = 0; i < 300; ++i) {
    const CostModel::Step step{1 + static_cast<uint32_t>(machine.random() % 512), machine.random() % 100000,
                               machine.random() % 1000000};
    costs.observe(step, machine.seconds(step));
  }
  const CostModel::Step decode{8, 8000, 8000};
  const uint32_t tokens = costs.tokens_within(0.12, decode, 1000, 512);
  EXPECT_GT(tokens, 8u);
  EXPECT_LT(tokens, 512u);
  const auto with_prompt = [&](uint32_t prompt_tokens) {
    CostModel::Step step = decode;
    step.add_row(1000, prompt_tokens, false);
    return costs.seconds(step);
  };
  EXPECT_LE(with_prompt(tokens - 8), 0.12);
  EXPECT_GT(with_prompt(tokens - 7), 0.12);
  EXPECT_EQ(costs.tokens_within(1e9, decode, 0, 512), 512u);
  EXPECT_EQ(CostModel(32, 4).tokens_within(1e9, {}, 0, 512), 1u) << "nothing larger was seen";
  EXPECT_LE(costs.tokens_within(0.12, decode, 100'000, 512), tokens) << "what a prompt has before it costs too";
  EXPECT_EQ(costs.tokens_within(0, decode, 0, 512), 8u) << "answers go on whatever the goal";
}

TEST(CostModel, ALongStretchOfDecodeDoesNotWashAwayWhatPromptsCost) {
  CostModel costs(32, 4);
  Machine machine;
  for (int i = 0; i < 50; ++i) {
    const CostModel::Step step{8 + static_cast<uint32_t>(machine.random() % 500), 5000, 100'000};
    costs.observe(step, machine.seconds(step));
  }
  for (uint64_t i = 0; i < 5000; ++i)
    costs.observe({8, 100 + 8 * i, 100 + 8 * i}, machine.seconds({8, 100 + 8 * i, 100 + 8 * i}));
  const CostModel::Step prompt{300, 5000, 100'000};
  EXPECT_NEAR(costs.seconds(prompt) / machine.seconds(prompt), 1, 0.2);
}

/// While a long prompt is read every step has some of it. What answers alone cost must stay what was measured of them:
/// the goal for steps with prompts is a multiple of it.
TEST(CostModel, StepsWithPromptsDoNotMoveWhatAnswersAloneCost) {
  CostModel costs(32, 4);
  CostModel::Step answers;
  for (int row = 0; row < 8; ++row) answers.add_row(200, 1, true);
  for (int i = 0; i < 200; ++i) costs.observe(answers, 0.002);
  EXPECT_NEAR(costs.seconds(answers), 0.002, 0.0001);
  // A machine for which the model of costs is not made: four tokens more and it is another step altogether.
  for (uint32_t depth = 0; depth < 100'000; depth += 4) {
    CostModel::Step step = answers;
    step.add_row(depth, 4, false);
    costs.observe(step, 0.006 + 1e-5 * std::sqrt(depth));
  }
  EXPECT_NEAR(costs.seconds(answers), 0.002, 0.0002);
}

/// A chunk of one token costs what an answer's token costs and more where it is deep: it must not pass for an answer.
TEST(CostModel, AChunkOfOneTokenIsNoAnswer) {
  CostModel costs(32, 4);
  CostModel::Step answers, beside_a_chunk;
  answers.add_row(200, 1, true);
  beside_a_chunk.add_row(200, 1, true);
  beside_a_chunk.add_row(100'000, 1, false);
  for (int i = 0; i < 100; ++i) costs.observe(answers, 0.002);
  EXPECT_EQ(costs.steps_since_answers_alone(), 0u);
  for (int i = 0; i < 100; ++i) costs.observe(beside_a_chunk, 0.02);
  EXPECT_EQ(costs.steps_since_answers_alone(), 100u);
  EXPECT_NEAR(costs.seconds(answers), 0.002, 0.0002);
  EXPECT_NEAR(costs.seconds(beside_a_chunk), 0.02, 0.002);
}

/// Steps of either sort with one in twenty that takes three times as long: so does the slowest hundredth.
TEST(CostModel, KnowsTheSlowestHundredthOfEitherSort) {
  CostModel costs(32, 4);
  CostModel::Step answers, mixed;
  answers.add_row(200, 1, true);
  mixed.add_row(200, 1, true);
  mixed.add_row(1000, 50, false);
  for (int i = 0; i < 400; ++i) {
    costs.observe(answers, i % 20 == 0 ? 0.006 : 0.002);
    costs.observe(mixed, 0.01);
  }
  EXPECT_NEAR(costs.seconds(answers) * costs.p99_over_predicted(false), 0.006, 0.001);
  EXPECT_NEAR(costs.seconds(mixed) * costs.p99_over_predicted(true), 0.01, 0.001);
}

TEST(CostModel, NoticesThatTheMachineGotSlower) {
  CostModel costs(32, 4);
  Machine machine;
  const auto steps = [&](int n) {
    for (int i = 0; i < n; ++i) {
      const CostModel::Step step{1 + static_cast<uint32_t>(machine.random() % 100), 1000, 1000};
      costs.observe(step, machine.seconds(step));
    }
  };
  steps(500);
  machine.speed = 0.5;
  steps(500);
  EXPECT_NEAR(costs.seconds({50, 1000, 1000}) / machine.seconds({50, 1000, 1000}), 1, 0.1);
}

/// On a slow machine a prompt is cut into steps that end within seconds, so that whoever cancels is heard.
TEST(StepBudget, AStepIsBoundedEvenWhereNobodyIsHeldUp) {
  const KvShape shape{1, 1, 128, 1};
  KvManager kv(shape, 1000);
  const Scheduler scheduler(kv, {});
  CostModel costs(32, 4);
  EXPECT_EQ(step_budget(scheduler, costs, 0), 128u) << "nothing is known yet";
  const auto observe = [&](uint32_t tokens, double seconds_a_token) {
    CostModel::Step step;
    step.add_row(0, tokens, false);
    costs.observe(step, seconds_a_token * tokens);
  };
  for (uint32_t i = 0; i < 20; ++i) observe(10 * i + 1, 0.04);
  EXPECT_NEAR(step_budget(scheduler, costs, 0), 100, 12);
  for (uint32_t i = 0; i < 1000; ++i) observe(10 * (i % 30) + 1, 1e-5);
  EXPECT_EQ(step_budget(scheduler, costs, 0), 512u);
}

/// What answers alone take is looked at again and again while a prompt is read: a machine that has got busy makes them
/// slower too, and the prompt may then take more.
TEST(StepBudget, LooksAtAnswersAloneOnceInAWhile) {
  const KvShape shape{1, 1, 128, 1};
  KvManager kv(shape, 1000);
  Scheduler scheduler(kv, {});
  const auto submit = [&](SequenceId id, uint32_t prompt_tokens) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = id;
    sequence->known.resize(prompt_tokens);
    sequence->prompt_tokens = prompt_tokens;
    sequence->max_tokens = prompt_tokens + 5000;
    ASSERT_TRUE(scheduler.submit(std::move(sequence)).ok());
  };
  CostModel costs(32, 4);
  uint32_t steps = 0, longest_wait = 0, waited = 0, alone = 0;
  const auto step = [&] {
    const StepPlan plan = scheduler.plan_step(0, step_budget(scheduler, costs, 0));
    CostModel::Step cost;
    std::vector<TokenId> sampled;
    for (const PlannedRow& row : plan.rows) {
      cost.add_row(row.start, row.length, row.samples);
      if (row.samples) sampled.push_back(0);
    }
    costs.observe(cost, 0.002 + 0.0001 * cost.tokens);
    scheduler.settle_step(plan, sampled);
    alone += !cost.has_prompt;
    waited = cost.has_prompt ? waited + 1 : 0;
    longest_wait = std::max(longest_wait, waited);
    ++steps;
  };
  submit(1, 10);
  for (int i = 0; i < 50; ++i) step();
  submit(2, 20'000);
  steps = alone = 0;
  while (scheduler.find(2)->is_prefilling() && steps < 5000) step();
  EXPECT_LT(steps, 5000u) << "the prompt is read";
  EXPECT_GE(alone, steps / 70);
  EXPECT_LE(alone, steps / 50 + 1);
  EXPECT_LE(longest_wait, 64u);
}

}  // namespace
}  // namespace gossamer
