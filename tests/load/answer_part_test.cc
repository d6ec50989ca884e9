#include "load/answer_part.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gossamer::load {
namespace {

AnswerPart read(std::string_view text) {
  return AnswerPartReader().read(text);
}

TEST(AnswerPart, TextInAnyOfItsPlaces) {
  for (const char* text : {
           R"({"choices":[{"delta":{"content":"a"}}]})",
           R"({"choices":[{"delta":{"reasoning":"a"}}]})",
           R"({"choices":[{"delta":{"reasoning_content":"a","content":null}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})",
           R"({"choices":[{"text":"a"}]})",
           R"({"choices":[{"message":{"content":"a"}}]})",
           R"({"choices":[{"delta":{}},{"delta":{"content":"a"}}]})",
       })
    EXPECT_TRUE(read(text).has_text) << text;
}

TEST(AnswerPart, ChunksThatSayNothing) {
  for (const char* text : {R"({"choices":[{"delta":{"role":"assistant","content":""}}]})", R"({"choices":[]})",
                           R"({"choices":[{"delta":{"tool_calls":[]},"finish_reason":null}]})", "{}", "[]", "5"}) {
    const AnswerPart part = read(text);
    EXPECT_TRUE(part.is_json) << text;
    EXPECT_FALSE(part.has_text || part.has_finish || !part.error.empty()) << text;
  }
}

TEST(AnswerPart, EndAndUsage) {
  const AnswerPart part =
      read(R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":34},)"
           R"("timings":{"queue_ms":1,"prompt_ms":2.5,"predicted_ms":10,"predicted_n":34}})");
  EXPECT_TRUE(part.has_finish);
  EXPECT_EQ(part.input_tokens, 12u);
  EXPECT_EQ(part.output_tokens, 34u);
  EXPECT_EQ(part.engine_ms, 13.5);
}

TEST(AnswerPart, CountsThatAreNone) {
  const AnswerPart part =
      read(R"({"usage":{"prompt_tokens":-1,"completion_tokens":"many"},"timings":{"prompt_ms":"soon"}})");
  EXPECT_FALSE(part.input_tokens || part.output_tokens || part.engine_ms);
  EXPECT_FALSE(read(R"({"usage":null})").input_tokens);
}

TEST(AnswerPart, TimesThatAreNone) {
  AnswerPartReader reader;
  EXPECT_EQ(reader.read(R"({"timings": {"prompt_ms": 1.5, "predicted_ms": 2}})").engine_ms, 3.5);
  for (const std::string_view ms : {"1e999", "0e400", "-1e999", "\"3\""})
    EXPECT_FALSE(reader.read(fmt::format(R"({{"timings": {{"prompt_ms": {}}}}})", ms)).engine_ms) << ms;
}

TEST(AnswerPart, ErrorsInEveryonesShape) {
  EXPECT_EQ(read(R"({"error":{"message":"no such model","code":"x"}})").error, "no such model");
  EXPECT_EQ(read(R"({"error":"no such model"})").error, "no such model");
  EXPECT_EQ(read(R"({"detail":"Not Found"})").error, "Not Found");
  EXPECT_EQ(read(R"({"error":{"code":5}})").error, R"({"code":5})");
  EXPECT_EQ(read(R"({"error":null,"choices":[]})").error, "");
}

TEST(AnswerPart, WhatIsNoJsonIsSaidAndForgotten) {
  AnswerPartReader reader;
  for (const char* text : {"", "{", "{\"choices\":", "{}{}", "\xff", "<html>"})
    EXPECT_FALSE(reader.read(text).is_json) << text;
  EXPECT_FALSE(reader.read(std::string(100'000, '[')).is_json);
  EXPECT_TRUE(reader.read(R"({"choices":[{"text":"a"}]})").has_text);
  EXPECT_TRUE(reader.read("{\"choices\":[{\"text\":\"" + std::string(100'000, 'a') + "\"}]}").has_text);
}

}  // namespace
}  // namespace gossamer::load
