#include "harmony/conversation.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gossamer::harmony {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 5> kRoleNames = {{{Role::kUser, "user"},
                                                                          {Role::kAssistant, "assistant"},
                                                                          {Role::kSystem, "system"},
                                                                          {Role::kDeveloper, "developer"},
                                                                          {Role::kTool, "tool"}}};

constexpr std::array<std::pair<ReasoningEffort, std::string_view>, 3> kEffortNames = {
    {{ReasoningEffort::kLow, "low"}, {ReasoningEffort::kMedium, "medium"}, {ReasoningEffort::kHigh, "high"}}};

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string_view role_name(Role role) {
  return kRoleNames[static_cast<size_t>(role)].second;
}

std::optional<Role> role_from_name(std::string_view name) {
  for (const auto& [role, known] : kRoleNames) {
    if (known == name) return role;
  }
  return std::nullopt;
}

std::string_view effort_name(ReasoningEffort effort) {
  return kEffortNames[static_cast<size_t>(effort)].second;
}

std::optional<ReasoningEffort> effort_from_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
  for (const auto& [effort, known] : kEffortNames) {
    if (known == lower) return effort;
  }
  return std::nullopt;
}

SystemContent SystemContent::defaults() {
  SystemContent content;
  content.model_identity = "You are ChatGPT, a large language model trained by OpenAI.";
  content.reasoning_effort = ReasoningEffort::kMedium;
  content.knowledge_cutoff = "2024-06";
  content.channel_config = ChannelConfig{{"analysis", "commentary", "final"}, true};
  return content;
}

Message Message::from_text(Role role, std::string text) {
  Message message;
  message.role = role;
  message.contents.push_back(TextContent{std::move(text)});
  return message;
}

Message Message::from_tool(std::string name, std::string channel, std::string text) {
  Message message = from_text(Role::kTool, std::move(text));
  message.name = std::move(name);
  message.recipient = role_name(Role::kAssistant);
  message.channel = std::move(channel);
  return message;
}

Message Message::from_system(SystemContent content) {
  Message message;
  message.role = Role::kSystem;
  message.contents.push_back(std::move(content));
  return message;
}

Message Message::from_developer(DeveloperContent content) {
  Message message;
  message.role = Role::kDeveloper;
  message.contents.push_back(std::move(content));
  return message;
}

std::string Message::text() const {
  std::string joined;
  for (const Content& content : contents) {
    if (const auto* piece = std::get_if<TextContent>(&content)) joined.append(piece->text);
  }
  return joined;
}

}  // namespace gossamer::harmony
