#include "load/request_body.h"

#include <gtest/gtest.h>

namespace gossamer::load {
namespace {

json::value body(const RequestPlan& plan, uint64_t index = 0) {
  const auto value = parse_json(RequestBodies(plan).body(index), "body");
  EXPECT_TRUE(value.ok());
  return value.ok() ? *value : json::value();
}

TEST(RequestBody, AChat) {
  const RequestPlan plan{
      .model = "m\"1", .prompts = {{"Say \"hi\"\n"}}, .max_tokens = 5, .temperature = 0.7f, .seed = 40};
  EXPECT_EQ(body(plan, 2),
            json::parse(R"({"messages": [{"role": "user", "content": "Say \"hi\"\n"}], "model": "m\"1", "stream": true,
                            "stream_options": {"include_usage": true}, "max_tokens": 5, "temperature": 0.7, "seed": 42})"));
  EXPECT_STREQ(RequestBodies(plan).path(), "/chat/completions");
}

TEST(RequestBody, ACompletion) {
  const RequestPlan plan{
      .endpoint = Endpoint::kCompletions, .model = "m", .prompts = {{"Once"}}, .ignore_eos = true, .stream = false};
  EXPECT_EQ(body(plan), json::parse(R"({"prompt": "Once", "model": "m", "stream": false, "ignore_eos": true})"));
  EXPECT_STREQ(RequestBodies(plan).path(), "/completions");
}

TEST(RequestBody, PromptsInTurn) {
  const RequestPlan plan{.model = "m", .prompts = {{"a"}, {"", {{{"role", "system"}, {"content", "b"}}}}}};
  EXPECT_EQ(body(plan, 0).at("messages").at(0).at("content"), "a");
  EXPECT_EQ(body(plan, 1).at("messages").at(0).at("role"), "system");
  EXPECT_EQ(body(plan, 2).at("messages").at(0).at("content"), "a");
}

TEST(RequestBody, MadeUpPromptsDiffer) {
  const RequestPlan plan{.endpoint = Endpoint::kCompletions, .model = "m", .made_up_tokens = 20};
  EXPECT_NE(body(plan, 0).at("prompt"), body(plan, 1).at("prompt"));
  EXPECT_EQ(body(plan, 1).at("prompt"), body(plan, 1).at("prompt"));
}

}  // namespace
}  // namespace gossamer::load
