#include "server/legacy_functions.h"

#include <utility>

namespace gossamer::server {
namespace {

bool has(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && !value->is_null();
}

/// "auto" and "none" are said alike; {"name"} names a function.
json::value tool_choice_of(json::value choice) {
  if (!choice.is_object()) return choice;
  return json::object{{"type", "function"}, {"function", std::move(choice)}};
}

/// The result of a function has no id: it belongs to the last call.
void modernize_message(json::object& message) {
  if (!has(message, "function_call") || has(message, "tool_calls")) return;
  json::object call{{"type", "function"}, {"function", std::move(message["function_call"])}};
  message["tool_calls"] = json::array{std::move(call)};
  message.erase("function_call");
}

}  // namespace

bool modernize_functions(json::object& body) {
  if (json::value* messages = body.if_contains("messages"); messages && messages->is_array())
    for (json::value& message : messages->get_array())
      if (message.is_object()) modernize_message(message.get_object());
  if (!has(body, "functions") || has(body, "tools")) return false;
  json::value tools = std::move(body["functions"]);
  if (tools.is_array())
    for (json::value& tool : tools.get_array())
      tool = json::object{{"type", "function"}, {"function", std::move(tool)}};
  body["tools"] = std::move(tools);
  if (has(body, "function_call")) body["tool_choice"] = tool_choice_of(std::move(body["function_call"]));
  body["parallel_tool_calls"] = false;
  return true;
}

}  // namespace gossamer::server
