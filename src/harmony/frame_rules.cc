#include "harmony/frame_rules.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "harmony/text_words.h"

namespace gossamer::harmony {
namespace {

constexpr size_t kMaxRecipientBytes = 256;  // longer headers would be taken for text without one

const ToolNamespaces* tools_of(const Content& content) {
  if (const auto* system = std::get_if<SystemContent>(&content)) return &system->tools;
  if (const auto* developer = std::get_if<DeveloperContent>(&content)) return &developer->tools;
  return nullptr;
}

/// The one of that name; else the functions of the tool of that name.
std::vector<std::string> named_recipients(const std::vector<std::string>& recipients, const std::string& name) {
  if (std::find(recipients.begin(), recipients.end(), name) != recipients.end()) return {name};
  std::vector<std::string> functions;
  std::copy_if(recipients.begin(), recipients.end(), std::back_inserter(functions),
               [&](const std::string& recipient) { return recipient.starts_with(name + "."); });
  return functions;
}

}  // namespace

std::vector<DeclaredTool> declared_tools(const Conversation& conversation) {
  std::vector<DeclaredTool> declared;
  for (const Message& message : conversation.messages) {
    for (const Content& content : message.contents) {
      const ToolNamespaces* tools = tools_of(content);
      if (!tools) continue;
      for (const auto& [key, space] : *tools) {
        if (space.tools.empty()) declared.push_back({space.name, nullptr});  // python: called by the name of its space
        for (const ToolDescription& tool : space.tools)
          declared.push_back({space.name + "." + tool.name, tool.parameters ? &*tool.parameters : nullptr});
      }
    }
  }
  return declared;
}

std::vector<std::string> declared_recipients(const Conversation& conversation) {
  std::vector<std::string> recipients;
  for (DeclaredTool& tool : declared_tools(conversation)) recipients.push_back(std::move(tool.recipient));
  return recipients;
}

Result<FrameRules> frame_rules(std::vector<std::string> recipients, const ToolChoice& choice) {
  FrameRules rules;
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      rules.recipients = std::move(recipients);
      break;
    case ToolChoice::Kind::kNone:
      break;
    case ToolChoice::Kind::kRequired:
      rules.recipients = std::move(recipients);
      rules.must_call = true;
      break;
    case ToolChoice::Kind::kNamed:
      rules.recipients = named_recipients(recipients, choice.recipient);
      if (rules.recipients.empty())
        return make_error(ErrorCode::kInvalidInput, "the tool {} must be called, but it is not declared",
                          choice.recipient);
      rules.must_call = true;
      break;
  }
  GOS_TRY_STATUS(check_frame_rules(rules));
  return rules;
}

Status check_frame_rules(const FrameRules& rules) {
  for (const std::string& recipient : rules.recipients) {
    const bool fits = !recipient.empty() && recipient.size() <= kMaxRecipientBytes && utf8_valid(recipient) &&
                      first_word(recipient) == recipient && recipient.find('<') == std::string::npos;
    if (!fits)
      return make_error(ErrorCode::kInvalidInput,
                        "a tool cannot be called '{}': a name has 1 to {} bytes, no white space and no '<'",
                        utf8_lossy(recipient.substr(0, kMaxRecipientBytes)), kMaxRecipientBytes);
  }
  if (rules.must_call && rules.recipients.empty())
    return make_error(ErrorCode::kInvalidInput, "a tool must be called, but none is declared");
  return {};
}

}  // namespace gossamer::harmony
