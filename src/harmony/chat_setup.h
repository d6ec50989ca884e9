#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harmony/conversation.h"

namespace gossamer::harmony {

/// What a chat begins with.
struct ChatSetup {
  std::string date;  ///< today, "2025-06-28"; empty: the prompt names none
  ReasoningEffort effort = ReasoningEffort::kMedium;
  std::optional<std::string> instructions;  ///< for the developer message: what applications call the system prompt
  std::vector<ToolDescription> functions;
  std::vector<ToolNamespace>
      built_ins;  ///< for the system message: python, browser, and others that run beside the model
};

/// The system message, and a developer message where there are instructions or functions.
Conversation start_conversation(const ChatSetup& setup);

}  // namespace gossamer::harmony
