#include "harmony/conversation_json.h"

#include <gtest/gtest.h>

#include "harmony/json_text.h"
#include "harmony/jsonl.h"
#include "harmony/render.h"

namespace gossamer::harmony {
namespace {

Result<Conversation> read(std::string_view text) {
  GOS_TRY(const json::value value, parse_json_like_serde(text, "the conversation"));
  return conversation_from_json(value);
}

struct Refusal {
  std::string_view json;
  std::string_view sentence;
};

constexpr Refusal kRefusals[] = {
    {R"([])", "the conversation is an array, it must be an object with \"messages\""},
    {R"({})", "the conversation lacks \"messages\""},
    {R"({"messages":{}})", "the conversation.messages is an object, it must be an array"},
    {R"({"messages":[3]})", "messages[0] is a number, it must be an object"},
    {R"({"messages":[{"content":"x"}]})", "messages[0] lacks \"role\""},
    {R"({"messages":[{"role":"robot","content":"x"}]})", "messages[0].role is \"robot\""},
    {R"({"messages":[{"role":"user"}]})", "messages[0] lacks \"content\""},
    {R"({"messages":[{"role":"user","content":null}]})", "messages[0].content is null"},
    {R"({"messages":[{"role":"user","content":"x","channel":1}]})",
     "messages[0].channel is a number, it must be a string"},
    {R"({"messages":[{"role":"user","content":[{"type":"image"}]}]})", "messages[0].content[0].type is \"image\""},
    {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})", "messages[0].content[0] lacks \"text\""},
    {R"({"messages":[{"role":"user","content":["x"]}]})", "messages[0].content[0] is a string"},
    {R"({"messages":[{"role":"system","content":[{"type":"system_content","reasoning_effort":"low"}]}]})",
     "must be \"Low\", \"Medium\" or \"High\""},
    {R"({"messages":[{"role":"system","content":[{"type":"system_content","channel_config":{"valid_channels":[]}}]}]})",
     "channel_config lacks \"channel_required\""},
    {R"({"messages":[{"role":"developer","content":[{"type":"developer_content","tools":{"f":{"name":"f"}}}]}]})",
     "tools.f lacks \"tools\""},
    {R"({"messages":[{"role":"developer","content":[{"type":"developer_content","tools":{"f":{"name":"f","tools":[{"name":"g"}]}}}]}]})",
     "tools.f.tools[0] lacks \"description\""},
};

TEST(ConversationJson, RefusalsNameThePlace) {
  for (const Refusal& refusal : kRefusals) {
    const Result<Conversation> conversation = read(refusal.json);
    ASSERT_FALSE(conversation.ok()) << refusal.json;
    EXPECT_NE(conversation.error().message.find(refusal.sentence), std::string::npos) << conversation.error().message;
  }
}

TEST(ConversationJson, NullsAndUnknownMembersCountAsAbsent) {
  const Result<Conversation> conversation = read(
      R"({"messages":[{"role":"user","name":null,"content":"hi","channel":null,"recipient":null,"content_type":null,"id":7}],"x":1})");
  ASSERT_TRUE(conversation.ok()) << conversation.error().message;
  const Message& message = conversation->messages.at(0);
  EXPECT_EQ(message.text(), "hi");
  EXPECT_FALSE(message.name || message.channel || message.recipient || message.content_type);
}

TEST(ConversationJson, WrittenMessagesReadBackTheSame) {
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::o200k_harmony();
  for (const testing::Row& row : testing::committed_rows("render.jsonl")) {
    const Result<json::value> value = parse_json_like_serde(row.line, "a row");
    ASSERT_TRUE(value.ok());
    const Result<Conversation> conversation = conversation_from_json(value->at("conversation"));
    if (!conversation.ok()) continue;
    json::array messages;
    for (const Message& message : conversation->messages) messages.push_back(message_to_json(message));
    const Result<Conversation> again = conversation_from_json(json::object{{"messages", std::move(messages)}});
    ASSERT_TRUE(again.ok()) << row.name() << ": " << again.error().message;
    const auto rendered = render_conversation(*tokenizer, *conversation, {});
    const auto rendered_again = render_conversation(*tokenizer, *again, {});
    ASSERT_EQ(rendered.ok(), rendered_again.ok()) << row.name();
    if (rendered.ok()) {
      EXPECT_EQ(*rendered, *rendered_again) << row.name();
    }
  }
}

TEST(ConversationJson, ASingleTextIsAPlainString) {
  EXPECT_EQ(message_to_json(Message::from_text(Role::kUser, "x")).at("content"), "x");
  Message two = Message::from_text(Role::kUser, "x");
  two.contents.push_back(TextContent{"y"});
  EXPECT_EQ(message_to_json(two).at("content").as_array().size(), 2u);
}

}  // namespace
}  // namespace gossamer::harmony
