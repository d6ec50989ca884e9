#include "harmony/json_requests.h"

#include <gtest/gtest.h>

namespace gossamer::harmony {
namespace {

struct Refusal {
  std::string_view line;
  std::string_view sentence;
};

TEST(JsonRequests, BadRenderLinesAreExplained) {
  constexpr Refusal kRefusals[] = {
      {"", "the input line is not valid JSON"},
      {"[]", "the input line is not a JSON object"},
      {"{}", "the input line lacks \"conversation\""},
      {R"({"conversation":{"messages":[]},"call":"sing"})", "\"call\" is \"sing\""},
      {R"({"conversation":{"messages":[]},"next_role":"robot"})", "\"next_role\" is \"robot\""},
      {R"({"conversation":{"messages":[]},"auto_drop_analysis":1})", "\"auto_drop_analysis\" is not true or false"},
      {R"({"conversation":{"messages":[{"role":"tool","content":"x"}]}})", "a tool message has no name"},
  };
  for (const Refusal& refusal : kRefusals) {
    const auto reply = render_json(*Tokenizer::o200k_harmony(), refusal.line);
    ASSERT_FALSE(reply.ok()) << refusal.line;
    EXPECT_NE(reply.error().message.find(refusal.sentence), std::string::npos) << reply.error().message;
  }
}

TEST(JsonRequests, RenderingDefaultsToACompletionByTheAssistant) {
  const auto reply = render_json(*Tokenizer::o200k_harmony(), R"({"conversation":{"messages":[]},"name":"ignored"})");
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(reply->at("text"), "<|start|>assistant");
}

TEST(JsonRequests, BadParseLinesAreExplained) {
  constexpr Refusal kRefusals[] = {
      {"{}", "the input line lacks \"tokens\""},
      {R"({"tokens":[1,-1]})", "tokens[1] is -1, a token id is an integer from 0 to 4294967295"},
      {R"({"tokens":[4294967296]})", "tokens[0] is 4294967296"},
      {R"({"tokens":["x"]})", "tokens[0] is \"x\""},
      {R"({"tokens":[],"role":5})", "\"role\" is not a string"},
      {R"({"tokens":[],"role":"robot"})", "\"role\" is \"robot\""},
  };
  for (const Refusal& refusal : kRefusals) {
    const auto reply = parse_json_tokens(Tokenizer::o200k_harmony(), refusal.line, ParseMode::kLenient);
    ASSERT_FALSE(reply.ok()) << refusal.line;
    EXPECT_NE(reply.error().message.find(refusal.sentence), std::string::npos) << reply.error().message;
  }
}

TEST(JsonRequests, ModesGoByName) {
  EXPECT_EQ(parse_mode_from_name("strict"), ParseMode::kStrict);
  EXPECT_EQ(parse_mode_from_name("compatible"), ParseMode::kCompatible);
  EXPECT_EQ(parse_mode_from_name("lenient"), ParseMode::kLenient);
  EXPECT_EQ(parse_mode_from_name("kind"), std::nullopt);
}

}  // namespace
}  // namespace gossamer::harmony
