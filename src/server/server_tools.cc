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
#include "server/wished_arguments.h"

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

}  // namespace

void offer_tool(harmony::ToolNamespace space, ChatPrompt& prompt, ChatRequest& request) {
  if (space.tools.empty()) request.built_ins.push_back(space.name);
  for (const harmony::ToolDescription& function : space.tools) {
    const std::string recipient = space.name + "." + function.name;
    request.built_ins.push_back(recipient);
    grammar::GrammarSpec arguments =
        function.parameters ? wished_arguments(*function.parameters) : grammar::GrammarSpec::json_object();
    request.built_in_arguments.insert_or_assign(recipient,
                                                PlacedGrammar{std::move(arguments), "tools", /*is_wish=*/true});
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
