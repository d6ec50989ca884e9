#include "cli/sampling_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gossamer::cli {
namespace {

using ::testing::HasSubstr;

Result<SamplingParams> params_of(std::string_view text, const GenerationDefaults& defaults = {}) {
  GOS_TRY(const json::value line, parse_json(text, "the line"));
  GOS_TRY(const SamplingOptions options, SamplingOptions::from_json(line.as_object()));
  return options.resolve(defaults);
}

TEST(SamplingOptions, EveryFieldReachesItsParameter) {
  const auto params =
      params_of(R"({"temperature": 0.5, "top_k": 7, "top_p": 0.25, "min_p": 0.125, "repetition_penalty": 1.5,
      "presence_penalty": -1, "frequency_penalty": 2, "seed": 18446744073709551615, "logit_bias": {"13225": -5, "11": 0.5}})");
  ASSERT_TRUE(params.ok()) << params.error().message;
  EXPECT_EQ(params->temperature, 0.5f);
  EXPECT_EQ(params->top_k, 7u);
  EXPECT_EQ(params->top_p, 0.25f);
  EXPECT_EQ(params->min_p, 0.125f);
  EXPECT_EQ(params->repetition_penalty, 1.5f);
  EXPECT_EQ(params->presence_penalty, -1.f);
  EXPECT_EQ(params->frequency_penalty, 2.f);
  EXPECT_EQ(params->seed, 18446744073709551615u);
  EXPECT_THAT(params->logit_bias,
              ::testing::ElementsAre(std::pair(TokenId{13225}, -5.f), std::pair(TokenId{11}, 0.5f)));
}

TEST(SamplingOptions, WhatIsAbsentComesFromTheModel) {
  const GenerationDefaults defaults{.eos_ids = {}, .do_sample = true, .temperature = 0.75f, .top_p = 0.5f, .top_k = 40};
  const auto params = params_of(R"({"top_p": null})", defaults);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(params->temperature, 0.75f);
  EXPECT_EQ(params->top_p, 0.5f);
  EXPECT_EQ(params->top_k, 40u);
  EXPECT_EQ(params_of(R"({"temperature": 0.25})", defaults)->temperature, 0.25f);
}

TEST(SamplingOptions, AModelThatDoesNotSampleIsGreedy) {
  const GenerationDefaults greedy{.eos_ids = {}, .do_sample = false, .temperature = 0.75f, .top_p = 1.f, .top_k = 0};
  EXPECT_EQ(params_of("{}", greedy)->temperature, 0.f);
  EXPECT_EQ(params_of(R"({"temperature": 0.25})", greedy)->temperature, 0.25f);
}

TEST(SamplingOptions, SeedsDifferWhereNoneIsGiven) {
  EXPECT_NE(params_of("{}")->seed, params_of("{}")->seed);  // equal once in 2^32 runs
}

TEST(SamplingOptions, ErrorsNameTheField) {
  for (auto [line, expected] :
       {std::pair(R"({"temperature": "hot"})", "temperature"), std::pair(R"({"top_k": -1})", "top_k"),
        std::pair(R"({"top_k": 4294967296})", "top_k"), std::pair(R"({"seed": 1.5})", "seed"),
        std::pair(R"({"logit_bias": 3})", "logit_bias"), std::pair(R"({"logit_bias": {"x": 1}})", "ID:VALUE"),
        std::pair(R"({"logit_bias": {"1": "x"}})", "ID:VALUE"), std::pair(R"({"top_p": 2})", "top_p")}) {
    const auto params = params_of(line);
    ASSERT_FALSE(params.ok()) << line;
    EXPECT_THAT(params.error().message, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace gossamer::cli
