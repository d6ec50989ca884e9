#include "harmony/answer.h"

namespace gossamer::harmony {
namespace {

/// A recipient is a tool unless it is a role or "all".
bool is_call(const Message& message) {
  const auto& recipient = message.recipient;
  return recipient && !recipient->empty() && *recipient != "all" && !role_from_name(*recipient);
}

void add_paragraph(const std::string& text, std::string& out) {
  if (text.empty()) return;
  if (!out.empty()) out.append("\n\n");
  out.append(text);
}

}  // namespace

TextKind text_kind(const Message& message) {
  if (message.role != Role::kAssistant) return TextKind::kOther;
  if (is_call(message)) return TextKind::kCall;
  if (!message.channel || message.channel == "final") return TextKind::kFinal;
  return message.channel == "commentary" ? TextKind::kPreamble : TextKind::kReasoning;
}

Answer extract_answer(std::span<const Message> messages) {
  Answer answer;
  for (const Message& message : messages) {
    switch (text_kind(message)) {
      case TextKind::kFinal:
        add_paragraph(message.text(), answer.final_text);
        break;
      case TextKind::kReasoning:
        add_paragraph(message.text(), answer.reasoning_text);
        break;
      case TextKind::kPreamble:
        add_paragraph(message.text(), answer.preamble_text);
        break;
      case TextKind::kCall:
        answer.tool_calls.push_back({*message.recipient, message.text()});
        break;
      case TextKind::kOther:
        break;
    }
  }
  return answer;
}

}  // namespace gossamer::harmony
