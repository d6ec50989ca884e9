/// Random walks through the masks of frames: whatever is sampled, an answer is well formed. GOSSAMER_WALK_TOKENS makes
/// them longer than the 300,000 tokens of every test run.

#include "harmony/frame_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "harmony/answer.h"
#include "harmony/stream_parser.h"

namespace gossamer::harmony {
namespace {

using testing::make_automaton;
using testing::MaskSampler;

uint64_t tokens_to_walk() {
  const char* wanted = std::getenv("GOSSAMER_WALK_TOKENS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 300'000;
}

const std::vector<std::vector<std::string>> kRecipientSets = {
    {},
    {"functions.f"},
    {"functions.get", "functions.get_weather", "functions.get_weather_tomorrow", "functions.to", "functions.json"},
    {"python", "browser.search", "browser.open", "browser.find"},
    {"functions.web-browsing", "functions.a.b.c", "functions.unicode_工具", "functions." + std::string(64, 'x'),
     "code"},
};

FrameRules random_rules(MaskSampler& random) {
  FrameRules rules;
  rules.recipients = kRecipientSets[random.below(static_cast<uint32_t>(kRecipientSets.size()))];
  rules.must_call = !rules.recipients.empty() && random.below(4) == 0;
  if (random.below(3) == 0) rules.reasoning_budget_tokens = random.below(12);
  if (random.below(4) == 0) rules.min_tokens = random.below(60);
  return rules;
}

/// A whole answer; nothing where it was not complete after `max_tokens`, as every limit of tokens may cut an answer.
std::optional<std::vector<TokenId>> walk(const std::shared_ptr<const Tokenizer>& tokenizer, const FrameRules& rules,
                                         MaskSampler& random, size_t max_tokens) {
  const auto constraint = make_automaton(tokenizer, rules);
  std::vector<TokenId> tokens;
  while (!constraint->must_end()) {
    if (tokens.size() == max_tokens) return std::nullopt;
    const TokenMask& mask = **constraint->allowed();
    const TokenId other = random.below(mask.vocab_size());
    EXPECT_EQ(mask.allows(other), constraint->clone()->accept(other).ok()) << other;
    const TokenId token = random.draw(mask);
    EXPECT_TRUE(constraint->accept(token).ok());
    tokens.push_back(token);
  }
  EXPECT_EQ((*constraint->allowed())->count(), 0u);
  return tokens;
}

std::vector<Message> parsed(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<TokenId>& tokens,
                            ParseMode mode) {
  StreamParser parser = StreamParser::create(tokenizer, Role::kAssistant, mode).value();
  for (TokenId token : tokens) {
    const Status fed = parser.feed(token);
    EXPECT_TRUE(fed.ok()) << fed.error().message << "\n" << tokenizer->decode_bytes(tokens);
  }
  const Status finished = parser.finish();
  EXPECT_TRUE(finished.ok()) << finished.error().message;
  return parser.messages();
}

/// openai-harmony takes the content type of a header without recipient for one.
bool is_content_type(const std::string& word) {
  return word == "json" || word == "code" || word.starts_with("<|constrain|>");
}

uint32_t reasoning_tokens(const Tokenizer& tokenizer, const std::vector<Message>& messages,
                          const std::vector<TokenId>& tokens) {
  uint32_t sum = 0;
  size_t message = 0;
  bool in_body = false;
  for (TokenId token : tokens) {
    if (tokenizer.kind(token) == TokenKind::kText) {
      sum += in_body && text_kind(messages[message]) == TextKind::kReasoning;
      continue;
    }
    if (token == tokenizer.special("<|start|>")) ++message;
    in_body = token == tokenizer.special("<|message|>");
  }
  return sum;
}

void expect_well_formed(const std::shared_ptr<const Tokenizer>& tokenizer, const FrameRules& rules,
                        const std::vector<TokenId>& tokens) {
  const std::string text = tokenizer->decode_bytes(tokens);
  const auto declared = [&](const std::string& name) {
    return std::find(rules.recipients.begin(), rules.recipients.end(), name) != rules.recipients.end();
  };
  const std::vector<Message> strict = parsed(tokenizer, tokens, ParseMode::kStrict);
  for (const Message& message : strict) {
    ASSERT_EQ(message.role, Role::kAssistant) << text;
    ASSERT_TRUE(message.channel == "analysis" || message.channel == "commentary" || message.channel == "final") << text;
    ASSERT_TRUE(!message.recipient || declared(*message.recipient) || is_content_type(*message.recipient)) << text;
  }
  const std::vector<Message> messages = parsed(tokenizer, tokens, ParseMode::kLenient);
  ASSERT_EQ(messages.size(), strict.size()) << text;
  for (size_t i = 0; i < messages.size(); ++i) {
    ASSERT_TRUE(!messages[i].recipient || declared(*messages[i].recipient)) << text;
    ASSERT_EQ(messages[i].channel, strict[i].channel) << text;
    ASSERT_EQ(messages[i].text(), strict[i].text()) << text;
    const bool is_last = i + 1 == messages.size();
    ASSERT_TRUE(is_last || text_kind(messages[i]) != TextKind::kCall) << text;
  }
  ASSERT_FALSE(messages.empty());
  const bool calls = text_kind(messages.back()) == TextKind::kCall;
  ASSERT_EQ(calls, tokens.back() == tokenizer->special("<|call|>")) << text;
  if (!calls) {
    ASSERT_EQ(text_kind(messages.back()), TextKind::kFinal) << text;
    ASSERT_TRUE(tokens.back() == tokenizer->special("<|return|>") || tokens.back() == tokenizer->special("<|end|>"));
  }
  ASSERT_TRUE(calls || !rules.must_call) << text;
  const uint32_t budget = rules.reasoning_budget_tokens.value_or(~0u);
  ASSERT_LE(reasoning_tokens(*tokenizer, messages, tokens), budget) << text;
  ASSERT_GE(tokens.size(), rules.min_tokens) << text;
}

void walk_at_random(const std::shared_ptr<const Tokenizer>& tokenizer, uint64_t wanted_tokens) {
  MaskSampler random(tokenizer, 1);
  uint64_t walked = 0, whole = 0, cut = 0;
  while (walked < wanted_tokens && !::testing::Test::HasFatalFailure()) {
    const FrameRules rules = random_rules(random);
    const auto tokens = walk(tokenizer, rules, random, 2000);
    walked += tokens ? tokens->size() : 2000;
    ++(tokens ? whole : cut);
    if (tokens) expect_well_formed(tokenizer, rules, *tokens);
  }
  EXPECT_GT(whole, wanted_tokens / 1000);
  EXPECT_LT(cut, whole / 10 + 5);
  std::printf("%llu tokens, %llu whole answers, %llu cut\n", static_cast<unsigned long long>(walked),
              static_cast<unsigned long long>(whole), static_cast<unsigned long long>(cut));
}

TEST(FrameWalk, EveryWalkIsWellFormed) {
  walk_at_random(Tokenizer::o200k_harmony(), tokens_to_walk());
}

TEST(FrameWalk, EveryWalkWithTheDemoModelsTokensIsWellFormed) {
  std::stringstream text;
  text << std::ifstream(GOSSAMER_SOURCE_DIR "/models/gossamer-mini/tokenizer.json").rdbuf();
  walk_at_random(Tokenizer::from_tokenizer_json(text.str(), 2816, "the demo model's").value(), tokens_to_walk());
}

/// However a header is cut into tokens, it is the same header.
TEST(FrameWalk, AnyWayToCutAHeaderIsAccepted) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  MaskSampler random(tokenizer, 2);
  FrameRules rules;
  rules.recipients = kRecipientSets[2];
  const std::string texts[] = {
      " to=functions.get_weather_tomorrow", "<|channel|>", "commentary", " ", "<|constrain|>", "json", "<|message|>"};
  for (int round = 0; round < 2000; ++round) {
    std::vector<TokenId> tokens;
    for (std::string_view text : texts) {
      if (const auto special = tokenizer->special(text)) {
        tokens.push_back(*special);
        continue;
      }
      while (!text.empty()) {
        const size_t size = 1 + random.below(static_cast<uint32_t>(text.size()));
        const auto token = tokenizer->text_token(text.substr(0, size));
        if (!token) continue;
        tokens.push_back(*token);
        text.remove_prefix(size);
      }
    }
    ASSERT_EQ(testing::accepted_tokens(*make_automaton(tokenizer, rules), tokens), tokens.size())
        << tokenizer->decode_bytes(tokens);
  }
}

}  // namespace
}  // namespace gossamer::harmony
