#include "server/server_tools.h"

#include <algorithm>

#include "server/app.h"
#include "server/tool_loop.h"
#include "server/tool_service.h"
#include "server/turn_memory.h"

namespace gossamer::server {
namespace {

bool names(const json::array& wanted, const std::string& name) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const json::value& word) { return word.is_string() && word.get_string() == name; });
}

}  // namespace

void offer_tool(harmony::ToolNamespace space, ChatPrompt& prompt, ChatRequest& request) {
  if (space.tools.empty()) request.built_ins.push_back(space.name);
  for (const harmony::ToolDescription& function : space.tools)
    request.built_ins.push_back(space.name + "." + function.name);
  prompt.server_tools.push_back(std::move(space));
}

void add_server_tools(const Call& call, JsonReader& reader, ChatPrompt& prompt, ChatRequest& request) {
  call.app.turn_memory().recall(call.tenant, prompt.turns);
  const ToolService* service = call.app.tool_service();
  if (!service || request.tool_choice.kind == ToolChoice::Kind::kNone) return;
  const json::value* wanted = reader.any("server_tools");
  if (wanted && !wanted->is_bool() && !wanted->is_array())
    return reader.fail("server_tools", "\"server_tools\" must be true, false or a list of tools' names");
  if (wanted && wanted->is_bool() && !wanted->get_bool()) return;
  for (const auto& tool : service->tools().all())
    if (!wanted || wanted->is_bool() || names(wanted->get_array(), tool->name()))
      offer_tool(tool->description(), prompt, request);
}

Result<std::shared_ptr<Generation>> start_chat(const Call& call, const std::shared_ptr<ServedModel>& model,
                                               const ChatRequest& request, Generation::Sink sink) {
  if (request.functions.empty() && request.built_ins.empty()) return start_generation(*model, request, std::move(sink));
  const ToolLoopParts parts{model, call.app.tool_service(), &call.app.turn_memory()};
  return start_tool_loop(parts, request, std::move(sink));
}

}  // namespace gossamer::server
