#pragma once

#include <span>
#include <string>
#include <vector>

#include "harmony/conversation.h"

namespace gossamer::harmony {

/// What a text is for, by its message's channel.
enum class TextKind : uint8_t {
  kFinal,      ///< the answer: the final channel, or none
  kReasoning,  ///< the analysis channel; and unknown ones, which nobody has promised to show
  kPreamble,   ///< the commentary channel: what the assistant says before it calls a tool
  kCall,       ///< arguments of a tool call, in any channel
  kOther,      ///< another author's message
};
TextKind text_kind(const Message& message);

/// One call of a tool, as the assistant wrote it: the arguments are not checked.
struct ToolCall {
  std::string name;  ///< "functions.get_weather"
  std::string arguments;
};

/// What an assistant's turn says. Texts of several messages are joined by a blank line.
struct Answer {
  std::string final_text;
  std::string reasoning_text;
  std::string preamble_text;
  std::vector<ToolCall> tool_calls;
};

Answer extract_answer(std::span<const Message> messages);

}  // namespace gossamer::harmony
