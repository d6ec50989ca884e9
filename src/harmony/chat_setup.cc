#include "harmony/chat_setup.h"

#include <utility>

namespace gossamer::harmony {

Conversation start_conversation(const ChatSetup& setup) {
  SystemContent system = SystemContent::defaults();
  system.reasoning_effort = setup.effort;
  if (!setup.date.empty()) system.conversation_start_date = setup.date;
  for (const ToolNamespace& tool : setup.built_ins) system.tools[tool.name] = tool;
  Conversation conversation;
  conversation.messages.push_back(Message::from_system(std::move(system)));

  if (!setup.instructions && setup.functions.empty()) return conversation;
  DeveloperContent developer;
  developer.instructions = setup.instructions;
  if (!setup.functions.empty()) developer.tools["functions"] = {"functions", std::nullopt, setup.functions};
  conversation.messages.push_back(Message::from_developer(std::move(developer)));
  return conversation;
}

}  // namespace gossamer::harmony
