#include "harmony/answer.h"

#include <gtest/gtest.h>

namespace gossamer::harmony {
namespace {

Message assistant(std::optional<std::string> channel, std::string text, std::optional<std::string> recipient = {}) {
  Message message = Message::from_text(Role::kAssistant, std::move(text));
  message.channel = std::move(channel);
  message.recipient = std::move(recipient);
  return message;
}

TEST(Answer, EveryTextGoesWhereItsChannelSays) {
  const std::vector<Message> messages = {assistant("analysis", "think"),
                                         assistant("commentary", "I will look."),
                                         assistant("commentary", "{\"a\":1}", "functions.f"),
                                         assistant("analysis", "print(1)", "python"),
                                         Message::from_text(Role::kUser, "not the assistant"),
                                         assistant("banana", "unknown channel"),
                                         assistant("final", "one"),
                                         assistant(std::nullopt, "two")};
  const Answer answer = extract_answer(messages);
  EXPECT_EQ(answer.final_text, "one\n\ntwo");
  EXPECT_EQ(answer.reasoning_text, "think\n\nunknown channel");
  EXPECT_EQ(answer.preamble_text, "I will look.");
  ASSERT_EQ(answer.tool_calls.size(), 2u);
  EXPECT_EQ(answer.tool_calls[0].name, "functions.f");
  EXPECT_EQ(answer.tool_calls[0].arguments, "{\"a\":1}");
  EXPECT_EQ(answer.tool_calls[1].name, "python");
}

TEST(Answer, ARoleIsNoTool) {
  for (const char* recipient : {"user", "assistant", "all", ""}) {
    EXPECT_EQ(text_kind(assistant("final", "x", recipient)), TextKind::kFinal) << recipient;
  }
}

}  // namespace
}  // namespace gossamer::harmony
