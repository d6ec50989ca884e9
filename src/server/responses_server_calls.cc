/// Items of calls that the server answers itself: web_search_call, code_interpreter_call, mcp_list_tools, mcp_call,
/// mcp_approval_request.
#include <string_view>
#include <utility>

#include "harmony/json_text.h"
#include "server/json_string.h"
#include "server/responses_items.h"
#include "server/responses_writer.h"

namespace gossamer::server {
namespace {

constexpr std::string_view kBrowser = "browser.", kPython = "python";

/// What a call of the browser is about to do, as far as its arguments say it.
json::object planned_action(std::string_view recipient, std::string_view arguments) {
  const Result<json::value> value = parse_json(arguments, "the arguments");
  const auto text_of = [&](std::string_view key) {
    const json::value* member = value.ok() ? find_member(*value, key) : nullptr;
    const json::string* text = member ? member->if_string() : nullptr;
    return text ? std::string(*text) : std::string();
  };
  const std::string_view function = recipient.substr(kBrowser.size());
  if (function == "open") return {{"type", "open_page"}, {"url", text_of("id")}};
  if (function == "find") return {{"type", "find_in_page"}, {"url", ""}, {"pattern", text_of("pattern")}};
  return {{"type", "search"}, {"query", text_of("query")}};
}

struct McpFunction {
  std::string label, name;
};

McpFunction mcp_function(const std::string& recipient) {
  const size_t dot = std::min(recipient.find('.'), recipient.size());
  return {recipient.substr(0, dot), recipient.substr(std::min(dot + 1, recipient.size()))};
}

/// "response.mcp_call": what the events of an item's type begin with.
std::string event_prefix(const json::object& item) {
  return fmt::format("response.{}", std::string_view(item.at("type").as_string()));
}

}  // namespace

void ResponsesWriter::list_server_tools(const AnswerEvent& event) {
  close_item(true);
  open_.id = output_item_id("mcpl_", options_.stem, output_.size());
  json::object item{
      {"id", open_.id}, {"type", "mcp_list_tools"}, {"server_label", event.name}, {"tools", json::array()}};
  emit_item("response.output_item.added", item);
  emit("response.mcp_list_tools.in_progress", [&] { return item_members(); });
  const json::value* tools = event.details ? event.details->if_contains("tools") : nullptr;
  if (tools) item["tools"] = *tools;
  emit("response.mcp_list_tools.completed", [&] { return item_members(); });
  finish_item(std::move(item));
  open_ = OpenItem();
}

void ResponsesWriter::open_server_call(const AnswerEvent& event) {
  close_item(true);
  open_.kind = ItemKind::kServerCall;
  if (event.name == kPython) return open_code(event);
  if (!event.name.starts_with(kBrowser)) return open_mcp_call(event);
  open_.id = output_item_id("ws_", options_.stem, output_.size());
  open_.server_item = {{"id", open_.id},
                       {"type", "web_search_call"},
                       {"status", "in_progress"},
                       {"action", planned_action(event.name, event.text)}};
  emit_item("response.output_item.added", open_.server_item);
  emit("response.web_search_call.in_progress", [&] { return item_members(); });
  emit("response.web_search_call.searching", [&] { return item_members(); });
}

void ResponsesWriter::open_code(const AnswerEvent& event) {
  open_.id = output_item_id("ci_", options_.stem, output_.size());
  open_.server_item = {{"id", open_.id},
                       {"type", "code_interpreter_call"},
                       {"status", "in_progress"},
                       {"code", ""},
                       {"container_id", fmt::format("cntr_{}", options_.stem)},
                       {"outputs", nullptr}};
  emit_item("response.output_item.added", open_.server_item);
  emit("response.code_interpreter_call.in_progress", [&] { return item_members(); });
  open_.server_item["code"] = event.text;
  const auto with = [&](std::string_view key) {
    return fmt::format("{},\"{}\":{}", item_members(), key, json_string(event.text));
  };
  emit("response.code_interpreter_call_code.delta", [&] { return with("delta"); });
  emit("response.code_interpreter_call_code.done", [&] { return with("code"); });
  emit("response.code_interpreter_call.interpreting", [&] { return item_members(); });
}

void ResponsesWriter::open_mcp_call(const AnswerEvent& event) {
  open_.id = output_item_id("mcp_", options_.stem, output_.size());
  McpFunction function = mcp_function(event.name);
  const json::value* approval = event.details ? event.details->if_contains("approval_request_id") : nullptr;
  open_.server_item = {{"id", open_.id},
                       {"type", "mcp_call"},
                       {"status", "in_progress"},
                       {"server_label", std::move(function.label)},
                       {"name", std::move(function.name)},
                       {"arguments", ""},
                       {"output", nullptr},
                       {"error", nullptr},
                       {"approval_request_id", approval ? *approval : json::value(nullptr)}};
  emit_item("response.output_item.added", open_.server_item);
  emit("response.mcp_call.in_progress", [&] { return item_members(); });
  open_.server_item["arguments"] = event.text;
  const auto with = [&](std::string_view key) {
    return fmt::format("{},\"{}\":{}", item_members(), key, json_string(event.text));
  };
  emit("response.mcp_call_arguments.delta", [&] { return with("delta"); });
  emit("response.mcp_call_arguments.done", [&] { return with("arguments"); });
}

/// Its "call_id" is ours: by it the server remembers what was done before the call (turn_memory.h).
void ResponsesWriter::ask_for_approval(const AnswerEvent& event) {
  close_item(true);
  open_.id = output_item_id("mcpr_", options_.stem, output_.size());
  McpFunction function = mcp_function(event.name);
  json::object item{{"id", open_.id},
                    {"type", "mcp_approval_request"},
                    {"call_id", event.call_id},
                    {"server_label", std::move(function.label)},
                    {"name", std::move(function.name)},
                    {"arguments", event.text}};
  emit_item("response.output_item.added", item);
  finish_item(std::move(item));
  open_ = OpenItem();
}

void ResponsesWriter::close_server_call(const AnswerEvent& event) {
  if (open_.kind != ItemKind::kServerCall) return;
  json::object item = std::move(open_.server_item);
  const json::string type = item.at("type").as_string();
  // Code that fails is a result like others; so is a page that is not there.
  const bool failed = event.failed && type == "mcp_call";
  if (type == "web_search_call" && event.details) item["action"] = *event.details;
  if (type == "code_interpreter_call")
    item["outputs"] = json::array{json::object{{"type", "logs"}, {"logs", event.text}}};
  if (type == "mcp_call") item[failed ? "error" : "output"] = event.text;
  item["status"] = failed ? "failed" : "completed";
  emit(event_prefix(item) + (failed ? ".failed" : ".completed"), [&] { return item_members(); });
  finish_item(std::move(item));
  open_ = OpenItem();
}

}  // namespace gossamer::server
