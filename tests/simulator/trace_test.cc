#include "simulator/trace.h"

#include <gmock/gmock.h>

#include <fstream>

#include "checkpoint/temp_folder.h"

namespace gossamer::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Trace : public ::testing::Test {
 protected:
  Result<std::vector<TraceRequest>> read(const std::string& text) {
    const std::string path = folder_.path() + "/trace";
    std::ofstream(path) << text;
    return read_trace(path);
  }
  std::string error_of(const std::string& text) {
    const auto trace = read(text);
    return trace.ok() ? "accepted" : trace.error().message;
  }
  gossamer::testing::TempFolder folder_;
};

TEST_F(Trace, BurstGpt) {
  const auto trace = read(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\r\n45,GPT-4,1087,230,1317,API log\n50,ChatGPT,100,0,100,API log\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  ASSERT_EQ(trace->size(), 2u) << "an answer without tokens is none";
  EXPECT_EQ((*trace)[0].input_tokens, 472u);
  EXPECT_EQ((*trace)[1].output_tokens, 230u);
  EXPECT_EQ((*trace)[1].arrival_seconds, 40);
}

TEST_F(Trace, ALaterBurstGptHasMoreColumns) {
  const auto trace = read(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "1,a,0.5,GPT-4,10,20,30,API log\n2,b,0.5,GPT-4,11,21,32,API log\n3,a,0.5,GPT-4,12,22,34,API log\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ((*trace)[2].input_tokens, 12u);
  EXPECT_EQ((*trace)[0].tenant, (*trace)[2].tenant);
  EXPECT_NE((*trace)[0].tenant, (*trace)[1].tenant);
}

TEST_F(Trace, Azure) {
  const auto trace = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 "
      "18:18:04.4799600,3180,8\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ((*trace)[0].input_tokens, 4808u);
  EXPECT_NEAR((*trace)[1].arrival_seconds, 60.5, 1e-3);
}

TEST_F(Trace, Mooncake) {
  const auto trace = read(
      "{\"timestamp\": 3000, \"input_length\": 700, \"output_length\": 52, \"hash_ids\": [46, 47]}\n"
      "{\"timestamp\": 1000, \"input_length\": 400, \"output_length\": 5, \"hash_ids\": [46]}\n");
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  EXPECT_EQ((*trace)[0].input_tokens, 400u) << "in the order of arrival";
  EXPECT_EQ((*trace)[1].arrival_seconds, 2);
  EXPECT_THAT((*trace)[1].blocks, ElementsAre(46, 47));
}

TEST_F(Trace, WhatIsNoTraceIsSaid) {
  EXPECT_THAT(error_of("a,b,c\n1,2,3\n"), HasSubstr("none of the traces known"));
  EXPECT_THAT(error_of(""), HasSubstr("no requests"));
  EXPECT_THAT(error_of("Timestamp,Model,Request tokens,Response tokens\n1,x,y,z\n"), HasSubstr("line 2"));
  EXPECT_THAT(error_of("{\"timestamp\": 1}\n"), HasSubstr("line 1"));
  EXPECT_THAT(error_of("{\"timestamp\": 1, \"input_length\": -4, \"output_length\": 1}\n"), HasSubstr("line 1"));
  EXPECT_THAT(error_of("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n"), HasSubstr("line 2"));
  EXPECT_FALSE(read_trace("/no/such/file").ok());
}

TEST(SyntheticTrace, IsTheSameForTheSameSeedAndRoughlyWhatWasAsked) {
  SyntheticTrace options;
  options.seconds = 500;
  const auto a = make_trace(options), b = make_trace(options);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].arrival_seconds, b[i].arrival_seconds);
    EXPECT_EQ(a[i].blocks, b[i].blocks);
    EXPECT_GE(a[i].blocks.size() * kTraceBlockTokens, a[i].input_tokens);
  }
  EXPECT_NEAR(static_cast<double>(a.size()), 4 * 500, 400);
  options.seed = 2;
  EXPECT_NE(make_trace(options).size(), a.size());
}

}  // namespace
}  // namespace gossamer::simulator
