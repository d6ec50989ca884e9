#include "simulator/simulate.h"

#include <gmock/gmock.h>

#include "simulator/chart.h"

namespace gossamer::simulator {
namespace {

using ::testing::HasSubstr;

SimulationOptions world(uint32_t replicas = 1, std::string policy = "least-requests") {
  SimulationOptions options;
  options.machine = find_machine("20b-h100").value();
  options.replicas = replicas;
  options.policy = std::move(policy);
  return options;
}

std::vector<TraceRequest> day(double rate, double seconds = 60) {
  SyntheticTrace options;
  options.requests_per_second = rate;
  options.seconds = seconds;
  return make_trace(options);
}

TEST(Simulate, EveryRequestEndsAndTheSameSeedIsTheSameRun) {
  const auto trace = day(8);
  for (const char* policy : {"random", "round-robin", "least-requests", "power-of-two", "prefix-hash", "prefix-load"}) {
    const auto a = simulate(trace, world(3, policy)), b = simulate(trace, world(3, policy));
    ASSERT_TRUE(a.ok());
    EXPECT_EQ(a->finished, trace.size()) << policy;
    EXPECT_EQ(a->refused + a->too_long, 0u);
    EXPECT_GT(a->output_tokens, 0u);
    EXPECT_EQ(a->ttft_ms.p99, b->ttft_ms.p99);
    EXPECT_EQ(a->tpot_ms.p50, b->tpot_ms.p50);
    EXPECT_EQ(a->steps, b->steps);
  }
}

TEST(Simulate, OneRequestTakesWhatTheMachineSays) {
  std::vector<TraceRequest> trace(1);
  trace[0].input_tokens = 100;
  trace[0].output_tokens = 11;
  const auto result = simulate(trace, world()).value();
  const Machine machine = world().machine;
  EXPECT_NEAR(result.ttft_ms.p50, machine.step_seconds({100, 100, 100 * 100}) * 1e3, 0.01);
  EXPECT_NEAR(result.tpot_ms.p50, machine.step_seconds({1, 106, 106}) * 1e3, 0.01);
  EXPECT_EQ(result.output_tokens, 11u);
}

TEST(Simulate, ConversationsHitTheirPrefixesWhereTheyAreRouted) {
  const auto trace = day(10, 120);
  const double scattered = simulate(trace, world(8, "random"))->hit_rate;
  const double kept = simulate(trace, world(8, "prefix-load"))->hit_rate;
  EXPECT_GT(kept, scattered + 0.1);
}

TEST(Simulate, MoreReplicasAreNoSlower) {
  const auto trace = day(60);
  // with a goal of its own: the default one follows the load, and holds prompts back where few answers are written
  SimulationOptions few = world(2), many = world(8);
  few.tpot_goal_seconds = many.tpot_goal_seconds = 0.05;
  EXPECT_LE(simulate(trace, many)->ttft_ms.p99,
            1.1 * simulate(trace, few)->ttft_ms.p99);  // scattered prefixes cost a little
}

/// The promise to those who stream: a long prompt beside them at most doubles the time between their tokens.
TEST(Simulate, ALongPromptDoesNotHoldUpThoseWhoStream) {
  for (const char* name : {"20b-h100", "20b-cpu2"}) {
    SimulationOptions options = world();
    options.machine = find_machine(name).value();
    std::vector<TraceRequest> streams(8);
    for (size_t i = 0; i < streams.size(); ++i) {
      streams[i].input_tokens = 50;
      streams[i].output_tokens = 20'000;  // they are still there when the prompt has been read
    }
    const double quiet = simulate(streams, options)->itl_ms.p99;
    streams.push_back({5 * quiet / 1e3, 100'000, 4, 1, {}});
    const auto crowded = simulate(streams, options).value();
    EXPECT_EQ(crowded.finished, 9u);
    EXPECT_LE(crowded.itl_ms.p99, 2 * quiet) << name;
  }
}

TEST(Simulate, WhatCannotBeIsAnError) {
  SimulationOptions options = world(1, "astrology");
  EXPECT_THAT(simulate({}, options).error().message, HasSubstr("astrology"));
  options = world();
  options.machine.num_pages = 8;
  EXPECT_FALSE(simulate({}, options).ok());
  EXPECT_FALSE(find_machine("1,2,3").ok());
  EXPECT_FALSE(find_machine("moon").ok());
  EXPECT_EQ(find_machine("0.1,0.01,1e-8,1e-9,0.2,500")->num_pages, 500u);
}

TEST(Simulate, TheChartIsAPicture) {
  const auto result = simulate(day(4, 10), world()).value();
  const std::string svg = draw_chart(result, "a <day> & more");
  EXPECT_TRUE(svg.starts_with("<svg"));
  EXPECT_THAT(svg, HasSubstr("a &lt;day&gt; &amp; more"));
  EXPECT_THAT(svg, HasSubstr("polyline"));
}

}  // namespace
}  // namespace gossamer::simulator
