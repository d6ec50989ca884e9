/// What frames accept and refuse, as texts. Random walks are in frame_walk_test.cc.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "harmony/frame_walk.h"
#include "harmony/jsonl.h"

namespace gossamer::harmony {
namespace {

using testing::accepted_tokens;
using testing::make_automaton;

const std::vector<std::string> kRecipients = {"functions.get_weather", "functions.get", "functions.web-browsing.v2",
                                              "python", "browser.search"};

FrameRules with_tools() {
  FrameRules rules;
  rules.recipients = kRecipients;
  return rules;
}

std::vector<TokenId> tokens_of(std::string_view text) {
  std::vector<TokenId> tokens;
  Tokenizer::o200k_harmony()->encode_with_specials(text, tokens);
  return tokens;
}

/// The part of a turn that is accepted; "" behind it: all of it, and the turn is complete; "..." behind it: it may go on.
std::string accepted_part(const std::string& turn, const FrameRules& rules) {
  const auto constraint = make_automaton(Tokenizer::o200k_harmony(), rules);
  std::vector<TokenId> tokens = tokens_of(turn);
  const size_t accepted = accepted_tokens(*constraint, tokens);
  const bool is_whole = accepted == tokens.size();
  EXPECT_EQ(constraint->may_end(), constraint->must_end());
  tokens.resize(accepted);
  return Tokenizer::o200k_harmony()->decode_bytes(tokens) + (is_whole && !constraint->may_end() ? "..." : "");
}

TEST(FrameAutomaton, WhatModelsWriteIsAccepted) {
  for (const std::string turn : {
           "<|channel|>final<|message|>Hello.<|return|>",
           "<|channel|>final<|message|><|return|>",
           "<|channel|>final<|message|>Hello.<|end|>",
           "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello.<|return|>",
           "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis<|message|>b<|end|><|start|>"
           "assistant<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>commentary "
           "to=functions.get_weather <|constrain|>json<|message|>{}<|call|>",
           " to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{}<|call|>",
           " to=functions.get_weather<|channel|>commentary json<|message|>{}<|call|>",
           " to=functions.get_weather<|channel|>commentary<|message|>{}<|call|>",
           " to=functions.get_weather<|channel|>commentary <|constrain|><|message|>{}<|call|>",
           " to=functions.get<|channel|>analysis code<|message|>{}<|call|>",
           "<|channel|>commentary to=functions.get<|message|>{}<|call|>",
           "<|channel|>commentary to=functions.get json<|message|>{}<|call|>",
           "<|channel|>commentary to=functions.get<|constrain|>json<|message|>{}<|call|>",
           "<|channel|>commentary to=functions.web-browsing.v2 <|constrain|>json<|message|>{}<|call|>",
           "<|channel|>analysis to=functions.get <|constrain|>json<|message|>{}<|call|>",
           "<|channel|>analysis to=python code<|message|>print(1)<|call|>",
           "<|channel|>analysis to=browser.search code<|message|>{\"query\":\"x\"}<|call|>",
           "<|channel|>final <|constrain|>json<|message|>{}<|return|>",
           "<|channel|>final<|constrain|>json<|message|>{}<|return|>",
           "<|channel|>final json<|message|>{}<|return|>",
           "<|channel|>commentary <|constrain|>json<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>x"
           "<|return|>",
       })
    EXPECT_EQ(accepted_part(turn, with_tools()), turn);
}

/// Behind "|" stands what is refused.
TEST(FrameAutomaton, WhatBreaksAFrameIsRefusedWhereItBreaks) {
  for (const std::string turn : {
           "|Hello",
           "|<|message|>Hello",
           "|<|return|>",
           "<|channel|>|<|message|>",
           "<|channel|>| final",
           "<|channel|>|banana",
           "<|channel|>final|<|channel|>",
           "<|channel|>final|<|end|>",
           "<|channel|>final| to=functions.get",
           "<|channel|>commentary| foo",
           "<|channel|>commentary| to=functions.hack",
           "<|channel|>commentary to=functions.get| to=python",
           "<|channel|>commentary to=functions.get<|constrain|>json|<|constrain|>",
           "<|channel|>commentary to=functions.get <|constrain|>| json",
           "<|channel|>commentary to=functions.get json| to",
           " to=functions.get_weather|<|message|>",
           " to=functions.get_weather<|channel|>|final",
           " to=functions.get_weather<|channel|>commentary| to",
           "<|channel|>final<|message|>Hello.|<|call|>",
           "<|channel|>final<|message|>Hello.|<|start|>",
           "<|channel|>final<|message|>Hello.|<|endoftext|>",
           "<|channel|>final<|message|>Hello.|<|message|>",
           "<|channel|>final<|message|>Hello.|<|constrain|>",
           "<|channel|>final<|message|>Hello.<|return|>|<|return|>",
           "<|channel|>final<|message|>Hello.<|return|>|<|start|>",
           "<|channel|>final<|message|>Hello.<|end|>|<|start|>",
           "<|channel|>commentary to=functions.get<|message|>{}|<|end|>",
           "<|channel|>commentary to=functions.get<|message|>{}|<|return|>",
           "<|channel|>commentary to=functions.get<|message|>{}<|call|>|<|start|>",
           "<|channel|>analysis<|message|>Hm.|<|return|>",
           "<|channel|>analysis<|message|>Hm.|<|call|>",
           "<|channel|>commentary<|message|>Hm.|<|return|>",
           "<|channel|>analysis<|message|>Hm.<|end|>|Hello",
           "<|channel|>analysis<|message|>Hm.<|end|>|<|return|>",
           "<|channel|>analysis<|message|>Hm.<|end|><|start|>|user",
           "<|channel|>analysis<|message|>Hm.<|end|><|start|>|<|channel|>",
           "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant|<|message|>",
       }) {
    // the "|" of a frame token has a "<" before it or a ">" behind it
    static const std::regex bar(R"(([^<]|^)\|(?!>))");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(turn, found, bar)) << turn;
    const std::string good = turn.substr(0, static_cast<size_t>(found.position()) + found[1].length());
    const std::string bad = turn.substr(good.size() + 1);
    const auto constraint = make_automaton(Tokenizer::o200k_harmony(), with_tools());
    const std::vector<TokenId> good_tokens = tokens_of(good), bad_tokens = tokens_of(bad);
    EXPECT_EQ(accepted_tokens(*constraint, good_tokens), good_tokens.size()) << turn;
    EXPECT_LT(accepted_tokens(*constraint, bad_tokens), bad_tokens.size()) << turn;
  }
}

TEST(FrameAutomaton, ReservedAndUnnamedTokensNeverStandAnywhere) {
  const auto constraint = make_automaton(Tokenizer::o200k_harmony(), with_tools());
  for (const char* turn : {"", "<|channel|>", "final", "<|message|>", "x"}) {
    ASSERT_EQ(accepted_tokens(*constraint, tokens_of(turn)), tokens_of(turn).size());
    const TokenMask& mask = **constraint->allowed();
    for (TokenId token = 200'009; token < 201'088; ++token)
      EXPECT_FALSE(token != 200'012 && mask.allows(token)) << token;
    EXPECT_FALSE(constraint->accept(201'087).ok());
    EXPECT_FALSE(constraint->accept(0xFFFFFFFFu).ok());
  }
}

TEST(FrameAutomaton, ToolChoice) {
  using Kind = ToolChoice::Kind;
  const std::string call = "<|channel|>commentary to=functions.get <|constrain|>json<|message|>{}<|call|>";
  const std::string final_message = "<|channel|>final<|message|>x<|return|>";
  const auto part = [](const std::string& turn, ToolChoice choice) {
    return accepted_part(turn, frame_rules(kRecipients, choice).value());
  };
  EXPECT_EQ(part(call, {}), call);
  EXPECT_EQ(part(final_message, {}), final_message);
  EXPECT_EQ(part(call, {Kind::kNone, {}}), "<|channel|>commentary");
  EXPECT_EQ(part(" to=functions.get", {Kind::kNone, {}}), "");
  EXPECT_EQ(part(final_message, {Kind::kNone, {}}), final_message);
  EXPECT_EQ(part(call, {Kind::kRequired, {}}), call);
  EXPECT_EQ(part(final_message, {Kind::kRequired, {}}), "<|channel|>");
  EXPECT_EQ(part("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant" + call, {Kind::kRequired, {}}),
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant" + call);
  EXPECT_EQ(part(call, {Kind::kNamed, "functions.get"}), call);
  EXPECT_EQ(part("<|channel|>analysis to=python code<|message|>1<|call|>", {Kind::kNamed, "functions.get"}),
            "<|channel|>analysis to=");
  EXPECT_EQ(part(final_message, {Kind::kNamed, "functions.get"}), "<|channel|>");
  EXPECT_FALSE(frame_rules(kRecipients, {Kind::kNamed, "functions.other"}).ok());
  EXPECT_FALSE(frame_rules({}, {Kind::kRequired, {}}).ok());
}

TEST(FrameAutomaton, NamesThatNoHeaderCanHoldAreRefused) {
  for (const std::string name : {"", "functions.get the weather", "functions.<|call|>", "a\xFF", "a\nb"})
    EXPECT_FALSE(frame_rules({name}, {}).ok()) << name;
  EXPECT_FALSE(frame_rules({std::string(257, 'a')}, {}).ok());
  EXPECT_TRUE(frame_rules({"functions." + std::string(64, 'a'), "functions.unicode_工具"}, {}).ok());
}

TEST(FrameAutomaton, ABudgetEndsReasoningLegally) {
  FrameRules rules = with_tools();
  rules.reasoning_budget_tokens = 3;
  const auto constraint = make_automaton(Tokenizer::o200k_harmony(), rules);
  const std::vector<TokenId> begin = tokens_of("<|channel|>analysis<|message|>one two three");
  ASSERT_EQ(begin.size(), 6u);
  ASSERT_EQ(accepted_tokens(*constraint, begin), begin.size());
  const TokenMask& mask = **constraint->allowed();
  EXPECT_EQ(mask.count(), 1u);
  EXPECT_TRUE(mask.allows(200'007));  // <|end|>
  const std::vector<TokenId> rest =
      tokens_of("<|end|><|start|>assistant<|channel|>final<|message|>four five six seven<|return|>");
  EXPECT_EQ(accepted_tokens(*constraint->clone(), rest), rest.size());
  const std::vector<TokenId> more = tokens_of("<|end|><|start|>assistant<|channel|>analysis<|message|>");
  EXPECT_EQ(accepted_tokens(*constraint->clone(), more), more.size() - 1);
  const std::vector<TokenId> call = tokens_of("<|end|><|start|>assistant<|channel|>analysis to=python code<|message|>1 2 3 4 5<|call|>");
  EXPECT_EQ(accepted_tokens(*constraint->clone(), call), call.size());

  rules.reasoning_budget_tokens = 0;
  EXPECT_EQ(accepted_part("<|channel|>analysis<|message|>", rules), "<|channel|>analysis");
  rules.recipients.clear();
  EXPECT_EQ(accepted_part("<|channel|>analysis<|message|>", rules), "<|channel|>");
}

TEST(FrameAutomaton, AnAnswerDoesNotEndBeforeItsLeastTokens) {
  FrameRules rules = with_tools();
  rules.min_tokens = 8;
  EXPECT_EQ(accepted_part("<|channel|>final<|message|>x<|return|>", rules), "<|channel|>final<|message|>x");
  EXPECT_EQ(accepted_part("<|channel|>commentary to=functions.get<|message|>{<|call|>", rules),
            "<|channel|>commentary to=functions.get<|message|>{");
  const std::string twice = "<|channel|>final<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>y<|return|>";
  EXPECT_EQ(accepted_part(twice, rules), twice);
}

TEST(FrameAutomaton, ClonesGoTheirOwnWay) {
  const auto first = make_automaton(Tokenizer::o200k_harmony(), with_tools());
  ASSERT_TRUE(first->accept(200'005).ok());
  const auto second = first->clone();
  ASSERT_EQ(accepted_tokens(*first, tokens_of("final<|message|>x<|return|>")), 4u);
  ASSERT_EQ(accepted_tokens(*second, tokens_of("analysis<|message|>y")), 3u);
  EXPECT_TRUE(first->must_end());
  EXPECT_FALSE(second->must_end());
}

/// The language of headers once more, as an expression over text. Bodies hold no frame token.
bool is_legal(const std::string& turn) {
  const std::string to = " to=[^\\s<]+", type = "(?: ?<\\|constrain\\|>(?:json|code)?| json| code)?";
  const std::string body = "<\\|message\\|>(?:[^<]|<(?!\\|[a-z]+\\|>))*";
  const std::string call = "(?:" + to + "<\\|channel\\|>(?:analysis|commentary)|<\\|channel\\|>(?:analysis|commentary)" + to +
                           ")" + type + body + "<\\|call\\|>";
  const std::string before = "<\\|channel\\|>(?:analysis|commentary)" + type + body + "<\\|end\\|><\\|start\\|>assistant";
  const std::string last = "<\\|channel\\|>final" + type + body + "<\\|(?:return|end)\\|>";
  static const std::regex legal("(?:" + before + ")*(?:" + call + "|" + last + ")");
  return std::regex_match(turn, legal);
}

std::vector<std::string> recipients_in(const std::string& turn) {
  static const std::regex to("to=([^\\s<]+)");
  std::vector<std::string> recipients;
  for (std::sregex_iterator at(turn.begin(), turn.end(), to), end; at != end; ++at) recipients.push_back((*at)[1]);
  return recipients;
}

struct Counts {
  uint32_t legal = 0, illegal = 0;
};

void expect_as_the_expression(const std::string& turn, std::vector<TokenId> tokens, Counts& counts) {
  FrameRules rules;
  rules.recipients = recipients_in(turn);
  const auto constraint = make_automaton(Tokenizer::o200k_harmony(), rules);
  const bool whole = accepted_tokens(*constraint, tokens) == tokens.size() && constraint->may_end();
  EXPECT_EQ(whole, is_legal(turn)) << turn;
  ++(whole ? counts.legal : counts.illegal);
}

/// The completions that openai-harmony was given, and turns of the conversations that it rendered.
Counts try_goldens(const std::vector<testing::Row>& parsed, const std::vector<testing::Row>& rendered) {
  Counts counts;
  const auto tokenizer = Tokenizer::o200k_harmony();
  for (const testing::Row& row : parsed) {
    if (!row.has("role") || !row.object.at("role").is_string() || row.object.at("role") != "assistant") continue;
    std::vector<TokenId> tokens;
    for (const json::value& token : row.object.at("tokens").as_array()) tokens.push_back(token.to_number<TokenId>());
    expect_as_the_expression(tokenizer->decode_bytes(tokens), tokens, counts);
  }
  const std::string begin = "<|start|>assistant";
  for (const testing::Row& row : rendered) {
    if (!row.has("text")) continue;
    const std::string text(row.object.at("text").as_string());
    for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
      const std::string rest = text.substr(at + begin.size());
      static const std::regex message("[\\s\\S]*?<\\|(return|end|call)\\|>");
      std::smatch found;
      if (!std::regex_search(rest, found, message, std::regex_constants::match_continuous)) continue;
      std::string turn = found.str();
      if (turn.ends_with("<|end|>") && !turn.starts_with("<|channel|>final"))
        turn += begin + "<|channel|>final<|message|>x<|return|>";
      expect_as_the_expression(turn, tokens_of(turn), counts);
    }
  }
  return counts;
}

TEST(FrameAutomaton, CommittedGoldensAreAcceptedWhereTheyAreLegal) {
  const Counts counts = try_goldens(testing::committed_rows("parse.jsonl"), testing::committed_rows("render.jsonl"));
  EXPECT_GT(counts.legal, 20u);
  EXPECT_GT(counts.illegal, 20u);
}

TEST(FrameAutomaton, AllGoldensAreAcceptedWhereTheyAreLegal) {
  const auto parsed = testing::oracle_rows("harmony_parse.jsonl"), rendered = testing::oracle_rows("harmony_render.jsonl");
  if (parsed.empty()) GTEST_SKIP() << "no oracle beside this checkout";
  const Counts counts = try_goldens(parsed, rendered);
  EXPECT_GT(counts.legal, 300u);
}

std::string demo_tokenizer_json() {
  std::stringstream text;
  text << std::ifstream(GOSSAMER_SOURCE_DIR "/models/gossamer-mini/tokenizer.json").rdbuf();
  return text.str();
}

std::shared_ptr<const Tokenizer> demo_tokenizer_without(const std::string& name) {
  std::string text = demo_tokenizer_json();
  for (size_t at; !name.empty() && (at = text.find(name)) != std::string::npos;) text.replace(at, 3, "<|_");
  return Tokenizer::from_tokenizer_json(text, 0, "the demo model's").value();
}

TEST(FrameAutomaton, OtherVocabulariesHaveFramesTooAsFarAsTheyHaveTheTokens) {
  const auto encode = [](const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text) {
    std::vector<TokenId> tokens;
    tokenizer->encode_with_specials(text, tokens);
    return tokens;
  };
  const std::string call = "<|channel|>commentary to=functions.get <|constrain|>json<|message|>{}<|call|>";
  const auto demo = demo_tokenizer_without("");
  ASSERT_LT(demo->head_rows(), 3000u);
  EXPECT_EQ(accepted_tokens(*make_automaton(demo, with_tools()), encode(demo, call)), encode(demo, call).size());

  const auto no_constrain = demo_tokenizer_without("<|constrain|>");
  const auto plain = encode(no_constrain, "<|channel|>commentary to=functions.get json<|message|>{}<|call|>");
  EXPECT_EQ(accepted_tokens(*make_automaton(no_constrain, with_tools()), plain), plain.size());

  const auto no_return = demo_tokenizer_without("<|return|>");
  const auto ended = encode(no_return, "<|channel|>final<|message|>x<|end|>");
  EXPECT_EQ(accepted_tokens(*make_automaton(no_return, with_tools()), ended), ended.size());

  const auto no_call = FrameVocabulary::create(demo_tokenizer_without("<|call|>"));
  ASSERT_TRUE(no_call.ok());
  EXPECT_FALSE(FrameAutomaton::create(*no_call, with_tools()).ok());
  EXPECT_TRUE(FrameAutomaton::create(*no_call, {}).ok());
  const auto no_channel = FrameVocabulary::create(demo_tokenizer_without("<|channel|>"));
  ASSERT_FALSE(no_channel.ok());
  EXPECT_NE(no_channel.error().message.find("<|channel|>"), std::string::npos);
}

}  // namespace
}  // namespace gossamer::harmony
