#include "server/server_tools.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "server/app.h"
#include "server/request_fields.h"
#include "server/shown_text.h"
#include "server/tool_loop.h"
#include "server/tool_service.h"
#include "server/turn_memory.h"

namespace gossamer::server {
namespace {

constexpr std::string_view kTrained[] = {"python", "browser"};  // that any server can have

/// "server_tools".
struct WantedTools {
  bool all = true;
  std::vector<std::string> names;  ///< where not all
};

bool is_wanted(const WantedTools& wanted, const std::string& name) {
  return wanted.all || std::ranges::find(wanted.names, name) != wanted.names.end();
}

std::vector<std::string> names_of(const ToolService* service) {
  std::vector<std::string> names;
  if (!service) return names;
  for (const auto& tool : service->tools().all()) names.push_back(tool->name());
  return names;
}

WantedTools read_wanted_tools(const ToolService* service, JsonReader& reader) {
  const json::value* value = reader.any("server_tools");
  if (!value) return {};
  if (value->is_bool()) return {value->get_bool(), {}};
  const std::vector<std::string> there = names_of(service);
  if (!value->is_array()) {
    reader.fail("server_tools", "\"server_tools\" must be true, false or a list of tools' names");
    return {};
  }
  WantedTools wanted{false, reader.texts("server_tools", fields::kMostTools)};
  for (const std::string& name : wanted.names) {
    const bool is_known =
        std::ranges::find(there, name) != there.end() || std::ranges::find(kTrained, name) != std::end(kTrained);
    if (is_known) continue;
    reader.fail("server_tools",
                fmt::format("\"server_tools\" names \"{}\", which is no tool of this server: it has {}", shown(name),
                            there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))));
  }
  return wanted;
}

bool is_plain_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool holds(const json::value* list, std::string_view name) {
  return list && list->is_array() && std::ranges::find(list->get_array(), json::value(name)) != list->get_array().end();
}

/// The schema with its optional properties in any order. Grammars take properties in their order, so that a model which
/// writes the second first could never give the first.
json::object with_free_order(const json::object& schema) {
  const json::value* properties = schema.if_contains("properties");
  if (!properties || !properties->is_object() || schema.contains("patternProperties")) return schema;
  json::object in_order, in_any_order;
  for (const auto& [name, property] : properties->get_object()) {
    const bool may_move = is_plain_name(name) && !holds(schema.if_contains("required"), name);
    if (may_move)
      in_any_order[fmt::format("^{}$", std::string_view(name))] = property;
    else
      in_order[name] = property;
  }
  if (in_any_order.size() < 2) return schema;
  json::object freed = schema;
  freed["properties"] = std::move(in_order);
  freed["patternProperties"] = std::move(in_any_order);
  return freed;
}

/// As strict as grammars can be.
grammar::GrammarSpec arguments_of(const harmony::ToolDescription& function) {
  using grammar::GrammarSpec;
  const json::object* schema = function.parameters ? function.parameters->if_object() : nullptr;
  if (!schema) return GrammarSpec::json_object();
  Result<GrammarSpec> spec = GrammarSpec::json_schema(with_free_order(*schema));
  if (!spec.ok()) spec = GrammarSpec::json_schema(*schema);
  return spec.ok() ? std::move(*spec) : GrammarSpec::json_object();
}

}  // namespace

void offer_tool(harmony::ToolNamespace space, ChatPrompt& prompt, ChatRequest& request) {
  if (space.tools.empty()) request.built_ins.push_back(space.name);
  for (const harmony::ToolDescription& function : space.tools) {
    const std::string recipient = space.name + "." + function.name;
    request.built_ins.push_back(recipient);
    request.built_in_arguments.insert_or_assign(recipient, PlacedGrammar{arguments_of(function), "tools"});
  }
  prompt.server_tools.push_back(std::move(space));
}

void add_server_tools(const Call& call, JsonReader& reader, ChatPrompt& prompt, ChatRequest& request) {
  call.app.turn_memory().recall(call.tenant, prompt.turns);
  const ToolService* service = call.app.tool_service();
  const WantedTools wanted = read_wanted_tools(service, reader);
  if (!service || request.tool_choice.kind == ToolChoice::Kind::kNone) return;
  for (const auto& tool : service->tools().all())
    if (is_wanted(wanted, tool->name())) offer_tool(tool->description(), prompt, request);
}

Result<std::shared_ptr<Generation>> start_chat(const Call& call, const std::shared_ptr<ServedModel>& model,
                                               const ChatRequest& request, Generation::Sink sink) {
  if (request.functions.empty() && request.built_ins.empty()) return start_generation(*model, request, std::move(sink));
  const ToolLoopParts parts{model, call.app.tool_service(), &call.app.turn_memory()};
  return start_tool_loop(parts, request, std::move(sink));
}

}  // namespace gossamer::server
