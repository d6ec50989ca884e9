#include "load/tally.h"

#include <gtest/gtest.h>

namespace gossamer::load {
namespace {

RequestRecord answered(float latency_ms, float ttft_ms, uint64_t output_tokens) {
  return {.outcome = RequestRecord::Outcome::kAnswered,
          .latency_ms = latency_ms,
          .ttft_ms = ttft_ms,
          .input_tokens = 7,
          .output_tokens = output_tokens,
          .events = output_tokens};
}

RequestRecord failed(const char* kind, uint64_t output_tokens = 0) {
  return {.outcome = RequestRecord::Outcome::kFailed, .error = kind, .latency_ms = 1, .output_tokens = output_tokens};
}

TEST(Tally, AnsweredRequestsAreMeasured) {
  Tally tally;
  RequestRecord record = answered(100, 40, 4);
  record.engine_ms = 98;
  tally.add(record, {10, 20, 30}, "");
  EXPECT_EQ(tally.answered, 1u);
  EXPECT_EQ(tally.input_tokens, 7u);
  EXPECT_EQ(tally.output_tokens, 4u);
  EXPECT_FLOAT_EQ(tally.latency_ms.mean(), 100);
  EXPECT_FLOAT_EQ(tally.ttft_ms.mean(), 40);
  EXPECT_FLOAT_EQ(tally.tpot_ms.mean(), 20) << "60 ms for three tokens behind the first";
  EXPECT_EQ(tally.itl_ms.count(), 3u);
  EXPECT_FLOAT_EQ(tally.itl_ms.mean(), 20);
  EXPECT_FLOAT_EQ(tally.added_ms.mean(), 2);
}

TEST(Tally, WhatIsNotKnownIsNotMeasured) {
  Tally tally;
  tally.add(answered(100, RequestRecord::kNone, 4), {}, "");
  tally.add(answered(100, 40, 1), {}, "");
  EXPECT_EQ(tally.latency_ms.count(), 2u);
  EXPECT_EQ(tally.ttft_ms.count(), 1u);
  EXPECT_EQ(tally.tpot_ms.count(), 0u);
  EXPECT_EQ(tally.added_ms.count(), 0u);
}

TEST(Tally, ErrorsCountByKindAndNotAsLatency) {
  Tally tally;
  tally.add(failed("HTTP 429"), {}, "the line is full");
  tally.add(failed("HTTP 429"), {}, "still full");
  tally.add(failed("timeout", 3), {5}, "too late");
  EXPECT_EQ(tally.failed, 3u);
  EXPECT_EQ(tally.errors.at("HTTP 429").count, 2u);
  EXPECT_EQ(tally.errors.at("HTTP 429").example, "the line is full");
  EXPECT_EQ(tally.errors.at("timeout").count, 1u);
  EXPECT_EQ(tally.latency_ms.count() + tally.itl_ms.count(), 0u);
  EXPECT_EQ(tally.output_tokens, 3u) << "they did arrive";
}

TEST(Tally, WhatWasCutShortIsNoError) {
  Tally tally;
  tally.add({.outcome = RequestRecord::Outcome::kUnfinished, .output_tokens = 5}, {}, "");
  EXPECT_EQ(tally.unfinished, 1u);
  EXPECT_EQ(tally.failed + tally.answered, 0u);
  EXPECT_EQ(tally.output_tokens, 5u);
}

TEST(Tally, TwoAddUp) {
  Tally first, second;
  first.add(answered(10, 5, 2), {5}, "");
  first.add(failed("timeout"), {}, "first");
  second.add(answered(30, 5, 2), {25}, "");
  second.add(failed("timeout"), {}, "second");
  second.add(failed("HTTP 500"), {}, "third");
  first.add(second);
  EXPECT_EQ(first.answered, 2u);
  EXPECT_EQ(first.failed, 3u);
  EXPECT_FLOAT_EQ(first.latency_ms.mean(), 20);
  EXPECT_EQ(first.errors.at("timeout").count, 2u);
  EXPECT_EQ(first.errors.at("timeout").example, "first");
  EXPECT_EQ(first.errors.at("HTTP 500").example, "third");
}

}  // namespace
}  // namespace gossamer::load
