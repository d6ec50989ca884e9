#pragma once
/// The harmony conversation, in the shape of openai-harmony's own JSON (docs/harmony.md names the fields).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"

namespace gossamer::harmony {

enum class Role : uint8_t { kUser, kAssistant, kSystem, kDeveloper, kTool };

/// "user", "assistant", ...
std::string_view role_name(Role role);
std::optional<Role> role_from_name(std::string_view name);

/// A function that the model may call. `parameters` is its JSON schema with the keys in the order in which they were
/// given (they render in that order); nothing where it takes none.
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
  static ToolNamespace python();   ///< the built-in python tool, likewise
};

/// Groups by key; they render in the byte order of their keys, under their own names.
using ToolNamespaces = std::map<std::string, ToolNamespace>;

enum class ReasoningEffort : uint8_t { kLow, kMedium, kHigh };

/// "low", as the prompt writes it.
std::string_view effort_name(ReasoningEffort effort);
/// Any case: "low", "Low".
std::optional<ReasoningEffort> effort_from_name(std::string_view name);

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
  ToolNamespaces tools;

  /// What openai-harmony's SystemContent.new() holds: ChatGPT's identity, medium effort, cutoff 2024-06, three
  /// channels.
  static SystemContent defaults();
};

/// Content of a developer message: what applications call the system prompt, and their functions.
struct DeveloperContent {
  std::optional<std::string> instructions;
  ToolNamespaces tools;
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

  static Message from_text(Role role, std::string text);
  static Message from_system(SystemContent content);
  static Message from_developer(DeveloperContent content);
  /// What the tool `name` ("functions.get_weather") answers the assistant, in the channel of the call.
  static Message from_tool(std::string name, std::string channel, std::string text);

  /// All text contents, joined.
  std::string text() const;
};

struct Conversation {
  std::vector<Message> messages;
};

}  // namespace gossamer::harmony
