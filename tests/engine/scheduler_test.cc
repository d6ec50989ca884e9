#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/paper_model.h"

namespace gossamer {
namespace {

using testing::PaperModel;

constexpr KvShape kShape{.full_layers = 12, .sliding_layers = 12, .window_tokens = 128, .token_bytes_of_a_layer = 2048};

/// A scheduler and a model on paper, with a clock that stands still unless it is told.
struct World {
  KvManager kv;
  Scheduler scheduler;
  PaperModel model;
  Microseconds now_us = 0;
  std::vector<SequenceId> ended;

  World(uint32_t pages, const SchedulerLimits& limits)
      : kv(kShape, pages), scheduler(kv, limits), model(kShape, pages) {}

  std::unique_ptr<Sequence> make(SequenceId id, uint32_t prompt, uint32_t answer, TokenId first = 0) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = id;
    sequence->arrival_us = now_us;
    sequence->known.resize(prompt);
    std::iota(sequence->known.begin(), sequence->known.end(), first ? first : static_cast<TokenId>(id * 100000));
    sequence->prompt_tokens = prompt;
    sequence->max_tokens = prompt + answer;
    return sequence;
  }
  Status submit(SequenceId id, uint32_t prompt, uint32_t answer, TokenId first = 0) {
    return scheduler.submit(make(id, prompt, answer, first));
  }
  /// One step, from plan to end; the plan.
  StepPlan step(uint32_t budget = 512) {
    StepPlan plan = scheduler.plan_step(now_us, budget);
    if (plan.rows.empty()) return plan;
    model.launch(plan);
    settle();
    return plan;
  }
  void settle() {
    const StepPlan plan = model.oldest();
    std::string problem;
    const auto sampled = model.finish(problem);
    EXPECT_EQ(problem, "");
    scheduler.settle_step(plan, sampled);
    for (const PlannedRow& row : plan.rows)
      if (const Sequence* s = scheduler.find(row.id); s && s->known.size() == s->max_tokens) {
        scheduler.end(row.id);
        ended.push_back(row.id);
      }
    EXPECT_EQ(scheduler.check_integrity(), "");
  }
  void run() {
    while (!step().rows.empty()) {
    }
  }
};

/// The row of a sequence in a plan; length 0 where it has none.
PlannedRow row_of(const StepPlan& plan, SequenceId id) {
  for (const PlannedRow& row : plan.rows)
    if (row.id == id) return row;
  return {};
}

TEST(Scheduler, ComputedCatchesUpWithKnownInChunks) {
  World world(1000, {});
  ASSERT_TRUE(world.submit(1, 1000, 3).ok());
  EXPECT_EQ(world.step().rows[0].length, 512u);
  const StepPlan second = world.step();
  EXPECT_EQ(second.rows[0].start, 512u);
  EXPECT_EQ(second.rows[0].length, 488u);
  EXPECT_TRUE(second.rows[0].samples);
  EXPECT_EQ(world.step().rows[0].length, 1u);
  EXPECT_EQ(world.step().rows[0].length, 1u);
  EXPECT_EQ(world.ended, std::vector<SequenceId>{1});
  EXPECT_TRUE(world.step().rows.empty());
}

TEST(Scheduler, DecodeNeverWaitsBehindALongPrompt) {
  World world(3000, {});
  for (SequenceId id = 1; id <= 8; ++id) ASSERT_TRUE(world.submit(id, 20, 300).ok());
  world.step();
  ASSERT_TRUE(world.submit(9, 30000, 5).ok());
  for (int i = 0; i < 50; ++i) {
    const StepPlan plan = world.step(100);
    for (SequenceId id = 1; id <= 8; ++id) EXPECT_EQ(row_of(plan, id).length, 1u);
    EXPECT_EQ(row_of(plan, 9).length, 92u);
    EXPECT_LE(plan.num_tokens(), 100u);
  }
}

TEST(Scheduler, AShortPromptPassesALongOne) {
  World world(4000, {});
  ASSERT_TRUE(world.submit(1, 60000, 5).ok());
  world.step();
  ASSERT_TRUE(world.submit(2, 100, 5).ok());
  ASSERT_TRUE(world.submit(3, 50000, 5).ok());
  const StepPlan plan = world.step();
  EXPECT_EQ(row_of(plan, 2).length, 100u);
  EXPECT_EQ(row_of(plan, 1).length, 412u);  // all that is left of the budget
  EXPECT_EQ(row_of(plan, 3).length, 0u);    // one long prompt at a time
}

TEST(Scheduler, PromptsProgressWhateverTheBudget) {
  World world(1000, {});
  for (SequenceId id = 1; id <= 40; ++id) ASSERT_TRUE(world.submit(id, 1, 100).ok());
  world.step();
  ASSERT_TRUE(world.submit(41, 100, 5).ok());
  EXPECT_EQ(row_of(world.step(1), 41).length, 1u);
}

TEST(Scheduler, ABudgetOfNothingIsAStepOfAnswersAlone) {
  World world(1000, {});
  ASSERT_TRUE(world.submit(1, 10, 100).ok());
  EXPECT_EQ(row_of(world.step(0), 1).length, 1u) << "nobody answers yet: the prompt goes on";
  while (world.scheduler.find(1)->is_prefilling()) world.step(0);
  ASSERT_TRUE(world.submit(2, 100, 5).ok());
  const StepPlan plan = world.step(0);
  EXPECT_EQ(row_of(plan, 1).length, 1u);
  EXPECT_EQ(plan.num_tokens(), 1u);
  EXPECT_EQ(row_of(world.step(100), 2).length, 99u);
}

/// With a budget of nothing in every step an answer grows until the pages are gone, those that a prompt was promised
/// among them: then the prompt goes on, and takes them back.
TEST(Scheduler, AnswersThatWaitForPagesKeepNoPromptWaiting) {
  SchedulerLimits limits;
  limits.max_step_tokens = 128;
  World world(60, limits);
  const uint32_t longest = world.scheduler.limits().max_sequence_tokens;
  ASSERT_TRUE(world.submit(1, longest - 300, 5).ok());
  ASSERT_EQ(row_of(world.step(100), 1).length, 100u);
  ASSERT_TRUE(world.submit(2, 20, longest - 20).ok());
  while (!world.scheduler.find(2) || world.scheduler.find(2)->is_prefilling()) world.step(30);
  const uint32_t done = world.scheduler.find(1)->scheduled;
  for (int step = 0; step < 3000 && world.scheduler.find(1)->scheduled == done; ++step)
    ASSERT_FALSE(world.step(0).rows.empty()) << "step " << step;
  EXPECT_GT(world.scheduler.find(1)->scheduled, done);
}

TEST(Scheduler, WhatCanNeverFitIsRefused) {
  SchedulerLimits limits;
  World world(100, limits);
  // 100 pages, 21 of them for the window and a step of 512 tokens
  EXPECT_EQ(world.scheduler.limits().max_sequence_tokens, (100 - kShape.max_sliding_pages(512)) * kPageTokens);
  const uint32_t longest = world.scheduler.limits().max_sequence_tokens;
  EXPECT_FALSE(world.submit(1, longest, 1).ok());
  EXPECT_FALSE(world.submit(2, 0, 5).ok());
  EXPECT_FALSE(world.submit(3, 5, 0).ok());
  EXPECT_TRUE(world.submit(4, longest - 7, 7).ok());
  world.run();
  EXPECT_EQ(world.ended, std::vector<SequenceId>{4});
}

/// Below rule R1's number of pages the longest sequence would stand still.
TEST(Scheduler, EveryPoolServesTheLongestSequenceItAllows) {
  for (uint32_t pages = 1; pages < 60; ++pages)
    for (uint32_t chunk : {1u, 32u, 33u, 100u, 512u}) {
      SchedulerLimits limits;
      limits.max_step_tokens = chunk;
      World world(pages, limits);
      const uint32_t longest = world.scheduler.limits().max_sequence_tokens;
      if (longest == 0) continue;
      ASSERT_TRUE(world.submit(1, longest - 1, 1).ok());
      ASSERT_TRUE(world.submit(2, longest / 2 + 1, longest - longest / 2 - 1).ok() || longest < 3);
      world.run();
      ASSERT_TRUE(world.scheduler.is_idle()) << pages << " pages, chunks of " << chunk;
    }
}

TEST(Scheduler, TheLineHasAnEnd) {
  SchedulerLimits limits;
  limits.max_waiting_requests = 2;
  World world(100, limits);
  EXPECT_TRUE(world.submit(1, 10, 5).ok());
  EXPECT_TRUE(world.submit(2, 10, 5).ok());
  const Status refused = world.submit(3, 10, 5);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_EQ(world.scheduler.tokens_ahead(), 20u);
}

/// Admission looks at the whole prompt: two that do not fit together are not computed by turns.
TEST(Scheduler, PromptsThatDoNotFitTogetherComeOneAfterTheOther) {
  SchedulerLimits limits;
  limits.max_step_tokens = 64;
  World world(40, limits);
  ASSERT_TRUE(world.submit(1, 800, 10).ok());
  ASSERT_TRUE(world.submit(2, 800, 10).ok());
  world.run();
  EXPECT_EQ(world.ended, (std::vector<SequenceId>{1, 2}));
  EXPECT_EQ(world.scheduler.num_preemptions(), 0u);
}

TEST(Scheduler, TheLastInLineMakesRoom) {
  SchedulerLimits limits;
  limits.max_step_tokens = 64;
  World world(30, limits);
  ASSERT_TRUE(world.submit(1, 100, 500).ok());
  ASSERT_TRUE(world.submit(2, 100, 500).ok());
  world.run();
  EXPECT_EQ(world.ended, (std::vector<SequenceId>{1, 2}));
  EXPECT_GT(world.scheduler.num_preemptions(), 0u);
}

TEST(Scheduler, ReservedAnswersAreNeverPreempted) {
  SchedulerLimits limits;
  limits.max_step_tokens = 64;
  limits.reserves_answer = true;
  World world(30, limits);
  for (SequenceId id = 1; id <= 5; ++id) ASSERT_TRUE(world.submit(id, 100, 500).ok());
  world.run();
  EXPECT_EQ(world.ended.size(), 5u);
  EXPECT_EQ(world.scheduler.num_preemptions(), 0u);
}

/// Likewise pages of a sequence whose last token is being sampled: they come with that step, whoever else wants one.
TEST(Scheduler, WhoEndsWithTheStepInFlightIsNotPreempted) {
  SchedulerLimits limits;
  limits.max_step_tokens = 64;
  limits.max_steps_in_flight = 2;
  uint64_t preemptions = 0;
  for (uint32_t answer = 20; answer < 140; ++answer) {
    World world(23, limits);
    ASSERT_TRUE(world.submit(1, 120, 200).ok());
    ASSERT_TRUE(world.submit(2, 100, answer).ok());
    for (;;) {
      const Sequence* last = world.scheduler.find(2);
      const bool ends = last && last->pending > 0 && last->known.size() + last->pending == last->max_tokens;
      const uint64_t before = world.scheduler.num_preemptions();
      StepPlan plan = world.scheduler.plan_step(0, 64);
      EXPECT_TRUE(!ends || world.scheduler.num_preemptions() == before) << "an answer of " << answer;
      if (!plan.rows.empty())
        world.model.launch(plan);
      else if (world.model.num_in_flight() == 0)
        break;
      if (plan.rows.empty() || world.model.num_in_flight() == 2) world.settle();
    }
    EXPECT_EQ(world.ended.size(), 2u);
    preemptions += world.scheduler.num_preemptions();
  }
  EXPECT_GT(preemptions, 0u);
}

/// Rules R4 and R5 with two steps in flight: pages that are coming are waited for, and nobody new takes them.
TEST(Scheduler, PagesThatAreComingAreWaitedFor) {
  SchedulerLimits limits;
  limits.max_step_tokens = 64;
  limits.max_steps_in_flight = 2;
  World world(33, limits);
  for (SequenceId id = 1; id <= 3; ++id) ASSERT_TRUE(world.submit(id, 120, 300).ok());
  while (world.scheduler.num_preemptions() == 0) {
    StepPlan plan = world.scheduler.plan_step(0, 64);
    if (world.scheduler.num_preemptions() || plan.rows.empty()) {
      if (!plan.rows.empty()) world.model.launch(plan);
      break;
    }
    world.model.launch(plan);
    if (world.model.num_in_flight() == 2) world.settle();
  }
  ASSERT_EQ(world.scheduler.num_preemptions(), 1u);
  ASSERT_GT(world.kv.pool().num_coming(), 0u);
  ASSERT_TRUE(world.submit(4, 1, 5).ok());
  const StepPlan plan = world.scheduler.plan_step(0, 64);
  EXPECT_EQ(world.scheduler.num_preemptions(), 1u);
  EXPECT_EQ(row_of(plan, 4).length, 0u);
  if (!plan.rows.empty()) world.model.launch(plan);
  while (world.model.num_in_flight()) world.settle();
  world.run();
  EXPECT_EQ(world.ended.size(), 4u);
}

TEST(Scheduler, OnePromptIsComputedOnceForAllWhoHaveIt) {
  World world(1000, {});
  for (SequenceId id = 1; id <= 8; ++id) ASSERT_TRUE(world.submit(id, 700, 20, 5).ok());
  uint32_t computed = 0;
  for (StepPlan plan; !(plan = world.step()).rows.empty();)
    for (const PlannedRow& row : plan.rows) computed += row.start < 700 ? row.length : 0;
  EXPECT_EQ(world.ended.size(), 8u);
  EXPECT_LE(computed, 700u + 7 * (700 - 672));
}

TEST(Scheduler, EchoComputesEverything) {
  World world(1000, {});
  ASSERT_TRUE(world.submit(1, 300, 5, 5).ok());
  world.run();
  auto again = world.make(2, 300, 5, 5);
  again->computes_whole_prompt = true;
  ASSERT_TRUE(world.scheduler.submit(std::move(again)).ok());
  EXPECT_EQ(world.step().rows[0].length, 300u);
}

TEST(Scheduler, InteractiveComesFirstButBatchIsNotForgotten) {
  SchedulerLimits limits;
  limits.max_rows = 1;
  World world(100, limits);
  const auto submit = [&](SequenceId id, Priority priority) {
    auto sequence = world.make(id, 10, 1);
    sequence->priority = priority;
    ASSERT_TRUE(world.scheduler.submit(std::move(sequence)).ok());
  };
  submit(1, Priority::kBatch);
  submit(2, Priority::kInteractive);
  world.step();
  EXPECT_EQ(world.ended, std::vector<SequenceId>{2});
  // interactive requests keep coming; after its penalty and everybody's patience the batch request is first
  for (SequenceId id = 3; id < 100 && world.ended.back() != 1; ++id) {
    world.now_us += 1'000'000;
    submit(id, Priority::kInteractive);
    world.step();
  }
  EXPECT_EQ(world.ended.back(), 1u);
  EXPECT_GT(world.now_us, 30'000'000);
}

TEST(Scheduler, WhoWasServedLeastComesNext) {
  SchedulerLimits limits;
  limits.max_rows = 1;
  World world(1000, limits);
  for (SequenceId id = 1; id <= 20; ++id) {  // one tenant floods the line, then another asks twice
    auto sequence = world.make(id, 50, 10);
    sequence->tenant = id <= 18 ? 1 : 2;
    ASSERT_TRUE(world.scheduler.submit(std::move(sequence)).ok());
  }
  world.run();
  const auto place = [&](SequenceId id) {
    return std::find(world.ended.begin(), world.ended.end(), id) - world.ended.begin();
  };
  EXPECT_LE(place(19), 2);
  EXPECT_LE(place(20), 4);
}

TEST(Scheduler, CancelledMeansGoneEverywhere) {
  World world(200, {});
  ASSERT_TRUE(world.submit(1, 2000, 5).ok());
  ASSERT_TRUE(world.submit(2, 10, 50).ok());
  EXPECT_TRUE(world.scheduler.end(2));  // in the line
  EXPECT_FALSE(world.scheduler.end(2));
  StepPlan plan = world.scheduler.plan_step(0, 512);
  world.model.launch(plan);
  EXPECT_TRUE(world.scheduler.end(1));  // in the middle of its prompt, with a step in flight
  world.settle();
  EXPECT_TRUE(world.step().rows.empty());
  EXPECT_EQ(world.kv.pool().num_held(), 0u);
}

TEST(Scheduler, DeadlinesPass) {
  World world(200, {});
  auto sequence = world.make(1, 10, 50);
  sequence->deadline_us = 5000;
  ASSERT_TRUE(world.scheduler.submit(std::move(sequence)).ok());
  EXPECT_TRUE(world.scheduler.expired(4999).empty());
  EXPECT_EQ(world.scheduler.expired(5000), std::vector<SequenceId>{1});
}

}  // namespace
}  // namespace gossamer
