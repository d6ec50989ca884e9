#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "harmony/conversation.h"
#include "server/generation.h"
#include "server/json_reader.h"
#include "tools/toolset.h"

namespace gossamer::server {

/// How a call of a tool is told to the client. The model sees all of them as functions.
enum class ResponsesToolKind : uint8_t {
  kFunction,    ///< function_call, arguments as JSON text
  kCustom,      ///< custom_tool_call, free text: a function with the one parameter "input"
  kCustomText,  ///< custom_tool_call, text of a grammar: a function that takes it as the body of the call
  kApplyPatch,  ///< apply_patch_call, an operation on a file: a function with the operation's members
};

/// A tool of the server that a request asks for.
struct ServerToolUse {
  std::shared_ptr<const tools::Tool> tool;
  std::vector<std::string> functions = {};   ///< of an MCP server, those that may be called; empty: all
  bool asks_before = false;                  ///< its calls wait for the client's approval: "require_approval"
  std::vector<std::string> exceptions = {};  ///< functions of which the opposite is true

  bool may_call(const std::string& function) const;
  bool asks_about(const std::string& function) const;
};

/// The tools of a request.
struct ResponsesTools {
  std::vector<harmony::ToolDescription> functions;              ///< as the model sees them
  std::map<std::string, ResponsesToolKind, std::less<>> kinds;  ///< by the model's name (tool_names.h)
  std::map<std::string, PlacedGrammar> arguments;               ///< as ChatRequest's
  json::array echo;                                             ///< those in force, as the response object repeats them
  std::vector<std::string> ignored_types;                       ///< of tools that this server does not have, each once
  std::vector<ServerToolUse> by_server;                         ///< that it runs itself

  ResponsesToolKind kind_of(std::string_view name) const;
};

/// From "tools". web_search (also web_search_preview), code_interpreter and mcp are tools of the server, where
/// `server_tools` has them: an MCP server is known by its "server_label". Any other type but function, custom and
/// apply_patch is ignored and noted: agents send several. A custom tool's grammar that cannot be enforced is a problem.
ResponsesTools read_responses_tools(JsonReader& reader, const tools::Toolset* server_tools = nullptr);

/// "tool_choice", read.
struct ResponsesToolChoice {
  ToolChoice choice;
  std::vector<std::string> allowed;  ///< names that may be called
  /// Tools of the server, or functions of them, that may be called; nothing: all.
  std::optional<std::vector<std::string>> allowed_of_server;
  json::value echo;
};

/// Whatever names a tool that is not in force is a problem: ignoring it would break what was asked for.
ResponsesToolChoice read_responses_tool_choice(const ResponsesTools& tools, JsonReader& reader);

/// custom, by its "format": how the model writes the text.
ResponsesToolKind custom_kind(const json::object& tool);

/// The arguments that the model is shown for a past call with this free text, {"input": text}, and back. Arguments that
/// are not of that shape are the text themselves.
std::string custom_arguments(std::string_view input);
std::string custom_input(std::string_view arguments);

/// The operation of an apply_patch call, with all members that its type has; total, whatever the model wrote.
json::object patch_operation(std::string_view arguments);

}  // namespace gossamer::server
