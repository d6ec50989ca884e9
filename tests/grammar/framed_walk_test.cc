/// Frames and grammars together: the grammar holds for the final message or the call, and for nothing else.

#include <gtest/gtest.h>

#include "grammar/grammar_engine.h"
#include "grammar/grammar_walk.h"
#include "grammar/json_validator.h"
#include "grammar/schema_check.h"
#include "harmony/answer.h"
#include "harmony/frame_automaton.h"
#include "harmony/stream_parser.h"

namespace gossamer::grammar {
namespace {

using testing::demo_tokenizer;

constexpr const char* kFinalSchema =
    R"({"type":"object","properties":{"answer":{"type":"integer"},"sure":{"type":"boolean"}},"required":["answer","sure"],
        "additionalProperties":false})";
constexpr const char* kCallSchema =
    R"({"type":"object","properties":{"city":{"type":"string","maxLength":9}},"required":["city"],
        "additionalProperties":false})";

GrammarSpec spec_of(const char* schema) {
  return GrammarSpec::json_schema(*parse_schema(schema)).value();
}

void expect_fits(const std::string& text, const char* schema_text) {
  const json::value schema = parse_schema(schema_text).value();
  const Result<json::value> value = parse_json(text, "the answer");
  ASSERT_TRUE(value.ok()) << text;
  EXPECT_EQ(testing::why_it_does_not_fit(*value, schema, schema), "") << text;
}

TEST(FramedWalk, FinalMessagesAndCallsFitTheirSchemas) {
  GrammarEngine engine(demo_tokenizer());
  harmony::FrameRules rules;
  rules.recipients = {"functions.weather", "functions.free"};
  rules.final_body = engine.compile(spec_of(kFinalSchema)).value();
  rules.call_bodies["functions.weather"] = engine.compile(spec_of(kCallSchema)).value();
  const auto vocabulary = harmony::FrameVocabulary::create(demo_tokenizer()).value();
  const auto frames = harmony::FrameAutomaton::create(vocabulary, rules).value();
  testing::WalkSampler sampler(*demo_tokenizer(), 11);
  int finals = 0, calls = 0, free_calls = 0, reasoned = 0;
  for (int i = 0; i < 1500; ++i) {
    const auto tokens = testing::walk(*frames->clone(), sampler, 3000);
    if (!tokens) continue;
    auto parser =
        harmony::StreamParser::create(demo_tokenizer(), harmony::Role::kAssistant, harmony::ParseMode::kLenient);
    for (TokenId token : *tokens) ASSERT_TRUE(parser->feed(token).ok());
    (void)parser->finish();
    const harmony::Answer answer = harmony::extract_answer(parser->messages());
    reasoned += !answer.reasoning_text.empty();
    EXPECT_EQ(answer.preamble_text, "");
    if (answer.tool_calls.empty()) {
      ++finals;
      expect_fits(answer.final_text, kFinalSchema);
    } else if (answer.tool_calls[0].name == "functions.weather") {
      ++calls;
      expect_fits(answer.tool_calls[0].arguments, kCallSchema);
    } else {
      ++free_calls;
    }
  }
  EXPECT_GT(finals, 20);
  EXPECT_GT(calls, 20);
  EXPECT_GT(free_calls, 20);
  EXPECT_GT(reasoned, 20);
}

TEST(FramedWalk, ACompleteBodyCanOnlyEnd) {
  GrammarEngine engine(demo_tokenizer());
  harmony::FrameRules rules;
  rules.final_body = engine.compile(spec_of(R"({"const":{"a":1}})")).value();
  const auto frames =
      harmony::FrameAutomaton::create(harmony::FrameVocabulary::create(demo_tokenizer()).value(), rules).value();
  std::vector<TokenId> tokens;
  demo_tokenizer()->encode_with_specials("<|channel|>final<|message|>", tokens);
  for (TokenId token : tokens) ASSERT_TRUE(frames->accept(token).ok());
  while (!(*frames->allowed())->allows(*demo_tokenizer()->special("<|return|>"))) {
    const TokenMask mask = **frames->allowed();
    EXPECT_GT(mask.count(), 0u);
    TokenId first = 0;
    while (!mask.allows(first)) ++first;
    ASSERT_TRUE(frames->accept(first).ok());
  }
  EXPECT_EQ((*frames->allowed())->count(), 2u);  // <|return|> and <|end|>
  EXPECT_FALSE(frames->accept(*demo_tokenizer()->text_token(" ")).ok());
  EXPECT_TRUE(frames->accept(*demo_tokenizer()->special("<|return|>")).ok());
  EXPECT_TRUE(frames->must_end());
}

}  // namespace
}  // namespace gossamer::grammar
