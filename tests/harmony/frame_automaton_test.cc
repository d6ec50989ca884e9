/// What frames accept and refuse, as texts. Random walks are in frame_walk_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
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

/// The part of a turn that is accepted; "" behind it: all of it, and the turn is complete; "..." behind it: it may go
/// on.
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
  const std::string search = "<|channel|>commentary to=browser.search<|message|>{}<|call|>";
  EXPECT_EQ(part(search, {Kind::kNamed, "browser"}), search);
  EXPECT_EQ(part(call, {Kind::kNamed, "browser"}), "<|channel|>commentary to=");
  EXPECT_FALSE(frame_rules(kRecipients, {Kind::kNamed, "brows"}).ok());
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
  const std::vector<TokenId> call =
      tokens_of("<|end|><|start|>assistant<|channel|>analysis to=python code<|message|>1 2 3 4 5<|call|>");
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
  rules.min_tokens = 20;
  EXPECT_EQ(accepted_part("<|channel|>commentary to=functions.get<|message|>{<|call|>", rules),
            "<|channel|>commentary to=functions.get<|message|>{");
  const std::string twice =
      "<|channel|>final<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>y<|return|>";
  rules.min_tokens = 8;
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
  const std::string body = "<\\|message\\|>(?:[^<]|<(?!\\|[a-z0-9_]+\\|>))*";
  const std::string call = "(?:" + to +
                           "<\\|channel\\|>(?:analysis|commentary)|<\\|channel\\|>(?:analysis|commentary)" + to + ")" +
                           type + body + "<\\|call\\|>";
  const std::string before =
      "<\\|channel\\|>(?:analysis|commentary)" + type + body + "<\\|end\\|><\\|start\\|>assistant";
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

/// The tokens as text in which only frame tokens have a "<": text that spells one is no frame.
std::string marked_text(const std::vector<TokenId>& tokens) {
  std::string text;
  for (TokenId token : tokens) {
    std::string bytes(Tokenizer::o200k_harmony()->token_bytes(token));
    if (Tokenizer::o200k_harmony()->kind(token) == TokenKind::kText) std::replace(bytes.begin(), bytes.end(), '<', '(');
    if (Tokenizer::o200k_harmony()->kind(token) == TokenKind::kUnnamed) bytes = "<|unnamed|>";
    text += bytes;
  }
  return text;
}

void expect_as_the_expression(const std::vector<TokenId>& tokens, Counts& counts) {
  const std::string turn = marked_text(tokens);
  FrameRules rules;
  bool names_are_good = true;  // a space of Unicode's is none to the expression
  for (const std::string& name : recipients_in(turn)) {
    const bool is_good = frame_rules({name}, {}).ok();
    if (is_good) rules.recipients.push_back(name);
    names_are_good = names_are_good && is_good;
  }
  const auto constraint = make_automaton(Tokenizer::o200k_harmony(), rules);
  const bool whole = accepted_tokens(*constraint, tokens) == tokens.size() && constraint->may_end();
  EXPECT_EQ(whole, names_are_good && is_legal(turn)) << turn;
  ++(whole ? counts.legal : counts.illegal);
}

std::vector<TokenId> ids_of(const json::value& list) {
  std::vector<TokenId> ids;
  for (const json::value& id : list.as_array()) ids.push_back(id.to_number<TokenId>());
  return ids;
}

/// The assistant's messages of a rendered conversation, as turns of their own: behind reasoning and preambles an answer
/// is put, for they end no turn.
std::vector<std::vector<TokenId>> assistant_turns(const std::vector<TokenId>& tokens) {
  const std::vector<TokenId> begin = tokens_of("<|start|>assistant");
  const std::vector<TokenId> answer = tokens_of("<|start|>assistant<|channel|>final<|message|>x<|return|>");
  const TokenId end = 200'007, ret = 200'002, call = 200'012;
  std::vector<std::vector<TokenId>> turns;
  for (auto at = tokens.begin(); (at = std::search(at, tokens.end(), begin.begin(), begin.end())) != tokens.end();) {
    at += static_cast<ptrdiff_t>(begin.size());
    const auto stop = std::find_if(at, tokens.end(), [&](TokenId t) { return t == end || t == ret || t == call; });
    if (stop == tokens.end()) break;
    std::vector<TokenId>& turn = turns.emplace_back(at, stop + 1);
    if (*stop == end && !marked_text(turn).starts_with("<|channel|>final"))
      turn.insert(turn.end(), answer.begin(), answer.end());
  }
  return turns;
}

/// The completions that openai-harmony was given, and turns of the conversations that it rendered.
Counts try_goldens(const std::vector<testing::Row>& parsed, const std::vector<testing::Row>& rendered) {
  Counts counts;
  for (const testing::Row& row : parsed)
    if (row.has("role") && row.object.at("role") == "assistant")
      expect_as_the_expression(ids_of(row.object.at("tokens")), counts);
  for (const testing::Row& row : rendered)
    if (row.has("tokens"))
      for (const std::vector<TokenId>& turn : assistant_turns(ids_of(row.object.at("tokens"))))
        expect_as_the_expression(turn, counts);
  return counts;
}

TEST(FrameAutomaton, CommittedGoldensAreAcceptedWhereTheyAreLegal) {
  const Counts counts = try_goldens(testing::committed_rows("parse.jsonl"), testing::committed_rows("render.jsonl"));
  EXPECT_GT(counts.legal, 20u);
  EXPECT_GT(counts.illegal, 20u);
}

TEST(FrameAutomaton, AllGoldensAreAcceptedWhereTheyAreLegal) {
  const auto parsed = testing::oracle_rows("harmony_parse.jsonl"),
             rendered = testing::oracle_rows("harmony_render.jsonl");
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
