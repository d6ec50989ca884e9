#pragma once
/// The harmony conversation, in the shape of openai-harmony's own JSON (docs/harmony.md names the fields).

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::harmony {

enum class Role : uint8_t { kUser, kAssistant, kSystem, kDeveloper, kTool };

/// "user", "assistant", ...
std::string_view role_name(Role role);
std::optional<Role> role_from_name(std::string_view name);

/// A function that the model may call. `parameters` is its JSON schema with the keys in the order in which they were given
/// (they render in that order); null where it takes none.
struct ToolDescription {
  std::string name;
  std::string description;
  std::optional<json::value> parameters;
};

/// A group of tools: "functions" (the caller's), "browser", "python", ...
struct ToolNamespace {
  std::string name;
  std::optional<std::string> description;
  std::vector<ToolDescription> tools;

  static ToolNamespace browser();  ///< the built-in browser tool, word for word as the model was trained on it
  static ToolNamespace python();
};

enum class ReasoningEffort : uint8_t { kLow, kMedium, kHigh };
std::string_view effort_name(ReasoningEffort effort);  ///< "low", as the prompt writes it
std::optional<ReasoningEffort> effort_from_name(std::string_view name);  ///< any case

struct ChannelConfig {
  std::vector<std::string> valid_channels;
  bool channel_required = false;
};

/// Content of a system message. Each absent field leaves its line out.
struct SystemContent {
  std::optional<std::string> model_identity;
  std::optional<ReasoningEffort> reasoning_effort;
  std::optional<std::string> conversation_start_date;  ///< "2025-06-28"
  std::optional<std::string> knowledge_cutoff;         ///< "2024-06"
  std::optional<ChannelConfig> channel_config;
  std::vector<std::pair<std::string, ToolNamespace>> tools;

  /// What openai-harmony's SystemContent.new() holds: ChatGPT identity, medium effort, cutoff 2024-06, the three channels.
  static SystemContent defaults();
};

struct DeveloperContent {
  std::optional<std::string> instructions;
  std::vector<std::pair<std::string, ToolNamespace>> tools;
};

struct TextContent {
  std::string text;
};

using Content = std::variant<TextContent, SystemContent, DeveloperContent>;

/// One message: author, optional routing, contents.
struct Message {
  Role role = Role::kUser;
  std::optional<std::string> name;  ///< of a tool ("functions.get_weather"), or a named user
  std::vector<Content> contents;
  std::optional<std::string> channel;
  std::optional<std::string> recipient;
  std::optional<std::string> content_type;

  static Message text(Role role, std::string text);
  static Message system(SystemContent content);
  static Message developer(DeveloperContent content);
};

struct Conversation {
  std::vector<Message> messages;
};

/// From and to openai-harmony's JSON: {"messages": [{"role", "name"?, "content": text | [contents], "channel"?, "recipient"?,
/// "content_type"?}]}. What openai-harmony refuses is an Error here.
Result<Conversation> conversation_from_json(const json::value& value);
json::object message_to_json(const Message& message);

}  // namespace gossamer::harmony
