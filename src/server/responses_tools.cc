#include "server/responses_tools.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/chat_prompt.h"
#include "server/request_fields.h"
#include "server/shown_text.h"
#include "server/tool_names.h"

namespace gossamer::server {
namespace {

constexpr std::string_view kApplyPatch = "apply_patch";

json::value member_or(const json::object& object, std::string_view key, json::value otherwise) {
  const json::value* member = object.if_contains(key);
  return member && !member->is_null() ? *member : std::move(otherwise);
}

json::object one_text_parameter() {
  return {{"type", "object"},
          {"properties", json::object{{"input", json::object{{"type", "string"}}}}},
          {"required", json::array{"input"}},
          {"additionalProperties", false}};
}

/// A custom tool's {"type": "text"} or {"type": "grammar", "syntax": "lark" | "regex", "definition"}.
struct CustomFormat {
  std::string syntax, definition;
  std::optional<PlacedGrammar> grammar;  ///< nothing: free text
};

CustomFormat read_custom_format(JsonReader& tool) {
  const json::object* object = tool.object("format");
  if (!object) return {};
  JsonReader reader = tool.inside(*object, tool.place("format"));
  const std::string type = reader.text("type").value_or("text");
  if (type == "text") return {};
  CustomFormat format{reader.text("syntax").value_or(""), reader.text("definition").value_or(""), {}};
  if (type != "grammar") {
    reader.fail("type",
                fmt::format("{} is \"{}\", it must be \"text\" or \"grammar\"", reader.place("type"), shown(type)));
    return format;
  }
  if (format.syntax != "lark" && format.syntax != "regex") {
    reader.fail("syntax", fmt::format("{} is \"{}\", it must be \"lark\" or \"regex\"", reader.place("syntax"),
                                      shown(format.syntax)));
    return format;
  }
  const bool is_regex = format.syntax == "regex";
  const Result<grammar::GrammarSpec> spec =
      is_regex ? grammar::GrammarSpec::regex(format.definition) : grammar::GrammarSpec::lark(format.definition);
  const std::string place = reader.place("definition");
  if (spec.ok())
    format.grammar = PlacedGrammar{*spec, place};
  else
    reader.fail("definition", fmt::format("{}: {}", place, spec.error().message));
  return format;
}

/// What the model reads about it; a grammar that the text must follow is part of it.
std::string custom_description(JsonReader& tool, const CustomFormat& format) {
  std::string text = tool.text("description").value_or("");
  if (!format.grammar) return text;
  if (!text.empty()) text += "\n";
  return text + fmt::format("The input is the whole body of the call, without JSON. It follows this {}:\n{}",
                            format.syntax == "regex" ? "regular expression" : "lark grammar", format.definition);
}

harmony::ToolDescription apply_patch_function() {
  const json::object types{{"type", "string"}, {"enum", json::array{"create_file", "update_file", "delete_file"}}};
  const json::object path{{"type", "string"}, {"description", "Path of the file"}};
  const json::object diff{{"type", "string"}, {"description", "Diff to apply; not for delete_file"}};
  return {std::string(kApplyPatch), "Creates, updates or deletes one file.",
          json::object{{"type", "object"},
                       {"properties", json::object{{"type", types}, {"path", path}, {"diff", diff}}},
                       {"required", json::array{"type", "path"}},
                       {"additionalProperties", false}}};
}

/// Its arguments fit its parameters: what stands in them is read back by this server.
void make_strict(ResponsesTools& tools, const harmony::ToolDescription& function, const std::string& place,
                 JsonReader& reader) {
  const json::object strict{{"strict", true}};
  if (std::optional<PlacedGrammar> arguments = read_arguments(strict, function, place, reader))
    tools.arguments.insert_or_assign(function.name, std::move(*arguments));
}

json::object echo_of_function(const json::object& tool) {
  return {{"type", "function"},
          {"name", member_or(tool, "name", "")},
          {"description", member_or(tool, "description", nullptr)},
          {"parameters", member_or(tool, "parameters", nullptr)},
          {"strict", member_or(tool, "strict", false)}};
}

json::object echo_of_custom(const json::object& tool) {
  return {{"type", "custom"},
          {"name", member_or(tool, "name", "")},
          {"description", member_or(tool, "description", "")},
          {"format", member_or(tool, "format", json::object{{"type", "text"}})}};
}

void add_tool(ResponsesTools& tools, harmony::ToolDescription function, ResponsesToolKind kind, json::object echo,
              JsonReader& reader) {
  if (!tools.kinds.emplace(function.name, kind).second) {
    reader.fail("name", fmt::format("there are two tools with the name \"{}\"", shown(function.name)));
    return;
  }
  tools.functions.push_back(std::move(function));
  tools.echo.push_back(std::move(echo));
}

/// The tool of the server that {"type", "server_label"?} means; null: it has none of that kind.
std::shared_ptr<const tools::Tool> server_tool(std::string_view type, JsonReader& reader, const tools::Toolset& set) {
  using Kind = tools::Tool::Kind;
  const std::string label = type == "mcp" ? reader.text("server_label").value_or("") : std::string();
  for (const std::shared_ptr<const tools::Tool>& tool : set.all()) {
    if (tool->kind() == Kind::kBrowser && type.starts_with("web_search")) return tool;
    if (tool->kind() == Kind::kPython && type == "code_interpreter") return tool;
    if (tool->kind() == Kind::kMcp && type == "mcp" && tool->name() == label) return tool;
  }
  return nullptr;
}

/// "allowed_tools": a list of names, or {"tool_names": [...]}.
std::vector<std::string> allowed_functions(JsonReader& reader) {
  const json::value* allowed = reader.any("allowed_tools");
  if (const json::value* names = allowed ? find_member(*allowed, "tool_names") : nullptr) allowed = names;
  std::vector<std::string> functions;
  if (allowed && allowed->is_array())
    for (const json::value& name : allowed->get_array())
      if (name.is_string()) functions.emplace_back(name.get_string());
  return functions;
}

/// {"tool_names": [...]} under `key`; nothing: it is absent.
std::optional<std::vector<std::string>> read_tool_filter(JsonReader& filters, std::string_view key) {
  const json::object* filter = filters.object(key);
  if (!filter) return std::nullopt;
  JsonReader reader = filters.inside(*filter, filters.place(key));
  if (reader.any("read_only"))
    reader.fail("read_only",
                fmt::format("{} is not supported: name the tools in \"tool_names\"", reader.place("read_only")));
  return reader.texts("tool_names", fields::kMostTools);
}

/// "require_approval" of an MCP server: "never", "always", or {"always": {"tool_names"}, "never": {"tool_names"}},
/// where those that "never" leaves out are asked about. Absent: never, for the operator chose the server.
void read_approval(JsonReader& tool, ServerToolUse& use) {
  const json::value* value = tool.any("require_approval");
  if (!value) return;
  const json::string* word = value->if_string();
  if (word && *word == "never") return;
  use.asks_before = true;
  if (word && *word == "always") return;
  if (!value->is_object())
    return tool.fail("require_approval", fmt::format("{} must be \"always\", \"never\" or an object with the lists "
                                                     "\"always\" and \"never\"",
                                                     tool.place("require_approval")));
  JsonReader filters = tool.inside(value->get_object(), tool.place("require_approval"));
  const auto always = read_tool_filter(filters, "always");
  const auto never = read_tool_filter(filters, "never");
  use.asks_before = never.has_value();
  use.exceptions = never ? *never : always.value_or(std::vector<std::string>());
  // One that stands in both is asked about.
  if (never && always)
    std::erase_if(use.exceptions,
                  [&](const std::string& name) { return std::ranges::find(*always, name) != always->end(); });
}

/// False: it is no tool of the server.
bool read_server_tool(const json::object& tool, std::string_view type, JsonReader& reader, const tools::Toolset* set,
                      ResponsesTools& tools) {
  std::shared_ptr<const tools::Tool> found = set ? server_tool(type, reader, *set) : nullptr;
  if (!found) return false;
  for (const ServerToolUse& use : tools.by_server)
    if (use.tool == found) return true;
  ServerToolUse use{std::move(found), allowed_functions(reader)};
  json::object echo = tool;
  if (type == "mcp") {
    read_approval(reader, use);
    if (!reader.any("require_approval")) echo["require_approval"] = "never";
  }
  tools.by_server.push_back(std::move(use));
  for (const char* secret : {"headers", "authorization"}) echo.erase(secret);
  tools.echo.push_back(std::move(echo));
  return true;
}

void read_custom_tool(const json::object& tool, const std::string& place, JsonReader& parent, ResponsesTools& tools) {
  JsonReader reader = parent.inside(tool, place);
  CustomFormat format = read_custom_format(reader);
  json::object function{{"name", member_or(tool, "name", nullptr)},
                        {"description", custom_description(reader, format)}};
  if (!format.grammar) function["parameters"] = one_text_parameter();
  harmony::ToolDescription custom = read_function(function, place, parent);
  if (format.grammar)
    tools.arguments.insert_or_assign(custom.name, std::move(*format.grammar));
  else
    make_strict(tools, custom, place, parent);
  add_tool(tools, std::move(custom), custom_kind(tool), echo_of_custom(tool), reader);
}

void read_tool(const json::object& tool, const std::string& place, JsonReader& parent, const tools::Toolset* set,
               ResponsesTools& tools) {
  JsonReader reader = parent.inside(tool, place);
  const std::optional<std::string> type = reader.text("type");
  if (!type) return reader.fail("type", fmt::format("{} lacks \"type\"", place));
  if (*type == "function") {
    harmony::ToolDescription function = read_function(tool, place, parent);
    if (std::optional<PlacedGrammar> arguments = read_arguments(tool, function, place, parent))
      tools.arguments.insert_or_assign(function.name, std::move(*arguments));
    add_tool(tools, std::move(function), ResponsesToolKind::kFunction, echo_of_function(tool), reader);
  } else if (*type == "custom") {
    read_custom_tool(tool, place, parent, tools);
  } else if (*type == kApplyPatch) {
    make_strict(tools, apply_patch_function(), place, parent);
    add_tool(tools, apply_patch_function(), ResponsesToolKind::kApplyPatch, json::object{{"type", kApplyPatch}},
             reader);
  } else if (read_server_tool(tool, *type, reader, set, tools)) {
    return;
  } else if (std::ranges::find(tools.ignored_types, *type) == tools.ignored_types.end()) {
    tools.ignored_types.push_back(*type);
  }
}

/// "function", "custom": the kind whose tool_choice and allowed_tools name it so.
std::optional<ResponsesToolKind> kind_from_type(std::string_view type) {
  if (type == "function") return ResponsesToolKind::kFunction;
  if (type == "custom") return ResponsesToolKind::kCustom;
  if (type == kApplyPatch) return ResponsesToolKind::kApplyPatch;
  return std::nullopt;
}

/// The tool of the server in force that {"type", "server_label"?, "name"?} means, or its function of that name;
/// nothing: it means none.
std::optional<std::string> named_server_tool(const ResponsesTools& tools, JsonReader& reader) {
  std::vector<std::shared_ptr<const tools::Tool>> in_force;
  for (const ServerToolUse& use : tools.by_server) in_force.push_back(use.tool);
  const auto tool = server_tool(reader.text("type").value_or(""), reader, tools::Toolset(std::move(in_force)));
  if (!tool) return std::nullopt;
  const bool has_functions = tool->kind() == tools::Tool::Kind::kMcp;
  const std::optional<std::string> function = has_functions ? reader.text("name") : std::nullopt;
  return function ? tool->name() + "." + *function : tool->name();
}

bool is_of_kind(ResponsesToolKind kind, ResponsesToolKind wanted) {
  return kind == wanted || (kind == ResponsesToolKind::kCustomText && wanted == ResponsesToolKind::kCustom);
}

/// The name of the function in force that {"type", "name"?} means; nothing, and a problem, where there is none.
std::optional<std::string> named_tool(const ResponsesTools& tools, JsonReader& reader) {
  const std::string type = reader.text("type").value_or("");
  const std::optional<ResponsesToolKind> kind = kind_from_type(type);
  if (!kind) {
    reader.fail("type", fmt::format("tool_choice asks for a tool of the type \"{}\", which this server does not have",
                                    shown(type)));
    return std::nullopt;
  }
  const std::string name = *kind == ResponsesToolKind::kApplyPatch ? std::string(kApplyPatch)
                                                                   : model_tool_name(reader.text("name").value_or(""));
  const auto found = tools.kinds.find(name);
  if (found != tools.kinds.end() && is_of_kind(found->second, *kind)) return name;
  reader.fail("name", fmt::format("tool_choice asks for the {} \"{}\", which is not among the tools", shown(type),
                                  shown(name)));
  return std::nullopt;
}

void choose_allowed(const ResponsesTools& tools, JsonReader& reader, ResponsesToolChoice& out) {
  const std::string mode = reader.text("mode").value_or("auto");
  if (mode != "auto" && mode != "required")
    return reader.fail("mode", fmt::format("the mode is \"{}\", it must be \"auto\" or \"required\"", shown(mode)));
  out.choice.kind = mode == "required" ? ToolChoice::Kind::kRequired : ToolChoice::Kind::kAuto;
  out.allowed.clear();
  out.allowed_of_server.emplace();
  const json::array* allowed = reader.array("tools");
  if (!allowed) return reader.fail("tools", "tool_choice of the type \"allowed_tools\" lacks \"tools\"");
  if (allowed->size() > fields::kMostTools)
    return reader.fail(
        "tools", fmt::format("{} tools are allowed by name, at most {} can be", allowed->size(), fields::kMostTools));
  for (size_t i = 0; i < allowed->size(); ++i) {
    const std::string place = fmt::format("{}[{}]", reader.place("tools"), i);
    const json::object* entry = (*allowed)[i].if_object();
    if (!entry) return reader.fail("tools", fmt::format("{} must be an object", place));
    JsonReader tool = reader.inside(*entry, place);
    if (std::optional<std::string> name = named_server_tool(tools, tool)) {
      out.allowed_of_server->push_back(std::move(*name));
      continue;
    }
    // What allows a tool that is ignored allows nothing, and harms nothing.
    if (!kind_from_type(tool.text("type").value_or(""))) continue;
    if (std::optional<std::string> name = named_tool(tools, tool)) out.allowed.push_back(std::move(*name));
  }
}

void choose_by_word(std::string_view word, const ResponsesTools& tools, JsonReader& reader, ToolChoice& choice) {
  if (word == "auto") {
    choice.kind = ToolChoice::Kind::kAuto;
  } else if (word == "none") {
    choice.kind = ToolChoice::Kind::kNone;
  } else if (word == "required") {
    choice.kind = ToolChoice::Kind::kRequired;
    if (tools.functions.empty() && tools.by_server.empty())
      reader.fail("tool_choice", "tool_choice is \"required\", but the request has no tool that this server knows");
  } else {
    reader.fail(
        "tool_choice",
        fmt::format("tool_choice is \"{}\", it must be \"auto\", \"none\", \"required\" or an object", shown(word)));
  }
}

}  // namespace

bool ServerToolUse::may_call(const std::string& function) const {
  return functions.empty() || std::ranges::find(functions, function) != functions.end();
}

bool ServerToolUse::asks_about(const std::string& function) const {
  return asks_before != (std::ranges::find(exceptions, function) != exceptions.end());
}

ResponsesToolKind ResponsesTools::kind_of(std::string_view name) const {
  const auto found = kinds.find(name);
  return found == kinds.end() ? ResponsesToolKind::kFunction : found->second;
}

ResponsesTools read_responses_tools(JsonReader& reader, const tools::Toolset* server_tools) {
  ResponsesTools tools;
  const json::array* array = reader.array("tools");
  if (!array) return tools;
  if (array->size() > fields::kMostTools) {
    reader.fail("tools", fmt::format("there are {} tools, at most {} are allowed", array->size(), fields::kMostTools));
    return tools;
  }
  for (size_t i = 0; i < array->size() && reader.ok(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    if (const json::object* tool = (*array)[i].if_object()) {
      read_tool(*tool, place, reader, server_tools, tools);
    } else {
      reader.fail(bad_request(place, place + " must be an object"));
    }
  }
  return tools;
}

ResponsesToolChoice read_responses_tool_choice(const ResponsesTools& tools, JsonReader& reader) {
  ResponsesToolChoice out;
  for (const harmony::ToolDescription& function : tools.functions) out.allowed.push_back(function.name);
  const json::value* choice = reader.any("tool_choice");
  out.echo = choice ? *choice : json::value("auto");
  if (!choice) return out;
  if (const json::string* word = choice->if_string()) {
    choose_by_word(*word, tools, reader, out.choice);
  } else if (const json::object* object = choice->if_object()) {
    JsonReader inner = reader.inside(*object, "tool_choice");
    if (inner.text("type") == "allowed_tools") {
      choose_allowed(tools, inner, out);
    } else if (std::optional<std::string> tool = named_server_tool(tools, inner)) {
      out.choice = {ToolChoice::Kind::kNamed, std::move(*tool), /*is_of_server=*/true};
    } else if (std::optional<std::string> name = named_tool(tools, inner)) {
      out.choice = {ToolChoice::Kind::kNamed, std::move(*name)};
    }
  } else {
    reader.fail("tool_choice", "tool_choice must be a text or an object");
  }
  return out;
}

ResponsesToolKind custom_kind(const json::object& tool) {
  const json::value* format = tool.if_contains("format");
  const json::value* type = format ? find_member(*format, "type") : nullptr;
  return type && *type == "grammar" ? ResponsesToolKind::kCustomText : ResponsesToolKind::kCustom;
}

std::string custom_arguments(std::string_view input) {
  return json::serialize(json::object{{"input", input}});
}

std::string custom_input(std::string_view arguments) {
  const Result<json::value> value = parse_json(arguments, "the arguments");
  const json::value* input = value.ok() ? find_member(*value, "input") : nullptr;
  if (const json::string* text = input ? input->if_string() : nullptr) return std::string(*text);
  if (value.ok() && value->is_string()) return std::string(value->get_string());
  return std::string(arguments);
}

json::object patch_operation(std::string_view arguments) {
  const Result<json::value> value = parse_json(arguments, "the arguments");
  const auto text_of = [&](std::string_view key) {
    const json::value* member = value.ok() ? find_member(*value, key) : nullptr;
    const json::string* text = member ? member->if_string() : nullptr;
    return text ? std::string(*text) : std::string();
  };
  const std::string type = text_of("type");
  if (type == "delete_file") return {{"type", type}, {"path", text_of("path")}};
  const bool is_operation = value.ok() && value->is_object();
  return {{"type", type == "create_file" ? "create_file" : "update_file"},
          {"path", text_of("path")},
          {"diff", is_operation ? text_of("diff") : std::string(arguments)}};
}

}  // namespace gossamer::server
