/// tests/data/harmony/lenient.jsonl: one row a shape of broken output ("text" with special tokens spelled out, or
/// "tokens"). docs/harmony.md explains them.

#include <gtest/gtest.h>

#include "harmony/answer.h"
#include "harmony/conversation_json.h"
#include "harmony/jsonl.h"
#include "harmony/stream_parser.h"

namespace gossamer::harmony {
namespace {

constexpr std::string_view kFinalHeader = "<|channel|>final<|message|>";

std::vector<TokenId> tokens_of(std::string_view text) {
  std::vector<TokenId> tokens;
  Tokenizer::o200k_harmony()->encode_with_specials(text, tokens);
  return tokens;
}

std::vector<TokenId> tokens_of(const json::object& row) {
  if (const json::value* text = row.if_contains("text")) return tokens_of(std::string_view(text->as_string()));
  std::vector<TokenId> tokens;
  for (const json::value& id : row.at("tokens").as_array()) tokens.push_back(id.to_number<TokenId>());
  return tokens;
}

StreamParser lenient_parser(std::optional<Role> role = Role::kAssistant) {
  return StreamParser::create(Tokenizer::o200k_harmony(), role, ParseMode::kLenient).value();
}

TEST(LenientParser, MendsEveryShape) {
  const std::vector<testing::Row> rows = testing::committed_rows("lenient.jsonl");
  ASSERT_GT(rows.size(), 60u);
  for (const testing::Row& row : rows) {
    const bool is_completion = !row.object.at("role").is_null();
    StreamParser parser = lenient_parser(is_completion ? std::optional(Role::kAssistant) : std::nullopt);
    for (TokenId token : tokens_of(row.object)) ASSERT_TRUE(parser.feed(token).ok());
    ASSERT_TRUE(parser.finish().ok());
    json::array messages;
    for (const Message& message : parser.messages()) messages.push_back(message_to_json(message));
    EXPECT_EQ(json::value(messages), row.object.at("messages")) << row.name();
  }
}

TEST(LenientParser, TextAppearsAsSoonAsItCannotBeAHeader) {
  StreamParser parser = lenient_parser();
  for (TokenId token : tokens_of("assist")) ASSERT_TRUE(parser.feed(token).ok());
  EXPECT_EQ(parser.state(), ParserState::kHeader) << "it may still become \"assistant\"";
  for (TokenId token : tokens_of("ing you")) ASSERT_TRUE(parser.feed(token).ok());
  EXPECT_EQ(parser.state(), ParserState::kContent);
  EXPECT_EQ(parser.message(0).text(), "assisting you");
}

TEST(LenientParser, AForgottenMessageMarkerDoesNotHideALongText) {
  StreamParser parser = lenient_parser();
  std::string text = "<|channel|>final ";
  for (int i = 0; i < 200; ++i) text += "word ";
  for (TokenId token : tokens_of(text)) ASSERT_TRUE(parser.feed(token).ok());
  EXPECT_EQ(parser.state(), ParserState::kContent);
  EXPECT_EQ(parser.current_channel(), "final");
  EXPECT_EQ(parser.message(0).text(), text.substr(17));
}

TEST(LenientParser, CharactersInPiecesAppearWhole) {
  StreamParser parser = lenient_parser();
  std::vector<TokenId> tokens = tokens_of(kFinalHeader);
  for (char byte : std::string("\xF0\x9F\x8C\x8A")) {  // a wave; single bytes are tokens that no text encodes to
    const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::o200k_harmony();
    for (TokenId id = 0; id < 256; ++id) {
      if (tokenizer->token_bytes(id) == std::string_view(&byte, 1)) tokens.push_back(id);
    }
  }
  ASSERT_EQ(tokens.size(), tokens_of(kFinalHeader).size() + 4);
  for (TokenId token : tokens) {
    EXPECT_FALSE(parser.last_delta().has_value());
    ASSERT_TRUE(parser.feed(token).ok());
  }
  EXPECT_EQ(parser.last_delta(), "\xF0\x9F\x8C\x8A");
}

TEST(LenientParser, WhereItStandsIsKnownAfterEveryToken) {
  StreamParser parser = lenient_parser();
  EXPECT_EQ(parser.current_role(), Role::kAssistant);
  EXPECT_FALSE(parser.current_channel().has_value());
  for (TokenId token : tokens_of("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"))
    ASSERT_TRUE(parser.feed(token).ok());
  EXPECT_EQ(parser.current_channel(), "commentary");
  EXPECT_EQ(parser.current_recipient(), "functions.f");
  EXPECT_EQ(parser.current_content_type(), "<|constrain|>json");
  EXPECT_EQ(parser.last_delta(), "{");
  EXPECT_EQ(text_kind(parser.message(0)), TextKind::kCall);
  ASSERT_TRUE(parser.finish().ok());
  EXPECT_EQ(parser.state(), ParserState::kExpectStart);
  EXPECT_FALSE(parser.current_recipient().has_value());
}

}  // namespace
}  // namespace gossamer::harmony
