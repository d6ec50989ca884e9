#include "server/ollama_request.h"

#include <algorithm>
#include <utility>

#include "harmony/json_text.h"
#include "server/answer_limits.h"
#include "server/output_format.h"
#include "server/request_fields.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

void read_options(JsonReader& reader, const ServedModel& model, OllamaRequest& request) {
  static const json::object kNone;
  const json::object* options = reader.object("options");
  JsonReader inner = reader.inside(options ? *options : kNone, "options");
  request.limits = read_limits(inner, model);
  if (const auto timeout_ms = reader.whole(fields::kTimeoutMs); timeout_ms && !inner.any(fields::kTimeoutMs.name))
    request.limits.timeout_seconds = static_cast<double>(*timeout_ms) / 1e3;
  request.limits.ignore_eos = false;  // no option of Ollama's
  request.limits.reasoning_budget_tokens = read_reasoning_budget(inner);
  if (const auto penalty = inner.number(fields::kRepeatPenalty))
    request.limits.sampling.repetition_penalty = static_cast<float>(*penalty);
  // 0, -1 and -2 are "to the end of the context" in one way or another.
  request.limits.max_tokens = static_cast<uint32_t>(std::max<int64_t>(inner.whole(fields::kNumPredict).value_or(0), 0));
  if (reader.boolean("logprobs").value_or(false))
    request.limits.top_logprobs = static_cast<uint32_t>(reader.whole(fields::kTopLogprobs).value_or(0));
}

/// "think": true, false, or a level. A gpt-oss always thinks: false hides it, and asks for little of it.
void read_think(JsonReader& reader, OllamaRequest& request) {
  const json::value* think = reader.any("think");
  if (!think) return;
  if (const bool* flag = think->if_bool()) {
    request.shows_thinking = *flag;
    if (!*flag) request.prompt.effort = harmony::ReasoningEffort::kLow;
    return;
  }
  request.prompt.effort = read_effort("think", reader);
}

/// "format": "json", a JSON schema, or nothing.
void read_format(JsonReader& reader, OutputFormat& format) {
  const json::value* value = reader.any("format");
  if (!value) return;
  if (value->is_object()) {
    format = json_schema_format(*value, "format", reader);
  } else if (*value == "json") {
    format = json_object_format("format");
  } else if (*value != "") {
    reader.fail("format", "\"format\" must be \"json\" or a JSON schema");
  }
}

/// 0, "0", "0s": the model is to be unloaded.
bool is_zero(const json::value& keep_alive) {
  if (keep_alive.is_number()) return keep_alive.to_number<double>() == 0;
  const json::string* text = keep_alive.if_string();
  return text && (*text == "0" || text->starts_with("0s") || text->starts_with("0m"));
}

void refuse_images(JsonReader& reader) {
  const json::array* images = reader.array("images");
  if (images && !images->empty()) reader.fail("images", "this model reads text only: \"images\" cannot be used");
}

void read_common(JsonReader& reader, const ServedModel& model, OllamaRequest& request) {
  request.stream = reader.boolean("stream").value_or(true);
  const json::value* keep_alive = reader.any("keep_alive");
  request.unloads = keep_alive && is_zero(*keep_alive);
  read_options(reader, model, request);
  read_think(reader, request);
  read_format(reader, request.prompt.format);
  refuse_images(reader);
}

/// Arguments of a past call as text; Ollama has them as an object, some clients as the text itself.
std::string arguments_text(JsonReader& function) {
  const json::value* arguments = function.any("arguments");
  if (!arguments) return "{}";
  if (const json::string* text = arguments->if_string()) return std::string(*text);
  return harmony::compact_json(*arguments);
}

void read_calls(JsonReader& message, ChatTurn& turn) {
  const json::array* calls = message.array("tool_calls");
  if (!calls) return;
  for (size_t i = 0; i < calls->size(); ++i) {
    const std::string place = fmt::format("{}.tool_calls[{}]", turn.place, i);
    const json::object* call = (*calls)[i].if_object();
    const json::value* function = call ? call->if_contains("function") : nullptr;
    if (!function || !function->is_object())
      return message.fail(
          bad_request(place, fmt::format("{} must be {{\"function\": {{\"name\", \"arguments\"}}}}", place)));
    JsonReader outer = message.inside(*call, place);
    JsonReader inner = message.inside(function->get_object(), place + ".function");
    turn.calls.push_back({outer.text("id").value_or(""), inner.text("name").value_or(""), arguments_text(inner)});
    if (turn.calls.back().name.empty()) inner.fail("name", fmt::format("{}.function lacks \"name\"", place));
  }
}

ChatTurn read_message(const json::object& object, const std::string& place, JsonReader& reader) {
  JsonReader message = reader.inside(object, place);
  ChatTurn turn;
  turn.place = place;
  turn.text = read_content(message.any("content"), place + ".content", reader);
  refuse_images(message);
  const std::string role = message.text("role").value_or("");
  if (role == "system") {
    turn.role = ChatTurn::Role::kSystem;
  } else if (role == "user") {
    turn.role = ChatTurn::Role::kUser;
  } else if (role == "assistant") {
    turn.role = ChatTurn::Role::kAssistant;
    turn.reasoning = message.text("thinking").value_or("");
    read_calls(message, turn);
  } else if (role == "tool") {
    turn.role = ChatTurn::Role::kTool;
    turn.call_id = message.text("tool_call_id").value_or("");
    turn.tool_name = message.text("tool_name").value_or(message.text("name").value_or(""));
  } else {
    message.fail("role", fmt::format("{}.role is \"{}\", it must be \"system\", \"user\", \"assistant\" or \"tool\"",
                                     place, shown(role)));
  }
  return turn;
}

}  // namespace

OllamaRequest read_ollama_chat(JsonReader& reader, const ServedModel& model) {
  OllamaRequest request;
  read_common(reader, model, request);
  const json::array* tools = reader.array("tools");
  if (tools && tools->size() > fields::kMostTools)
    reader.fail("tools", fmt::format("there are {} tools, at most {} are allowed", tools->size(), fields::kMostTools));
  if (tools && reader.ok()) request.prompt.functions = read_functions(*tools, "tools", reader, request.arguments);
  const json::array* messages = reader.array("messages");
  for (size_t i = 0; messages && i < messages->size() && reader.ok(); ++i) {
    const std::string place = fmt::format("messages[{}]", i);
    if (const json::object* message = (*messages)[i].if_object())
      request.prompt.turns.push_back(read_message(*message, place, reader));
    else
      reader.fail(bad_request(place, place + " must be an object"));
  }
  request.only_loads = request.prompt.turns.empty();
  return request;
}

OllamaRequest read_ollama_generate(JsonReader& reader, const ServedModel& model) {
  OllamaRequest request;
  read_common(reader, model, request);
  if (reader.boolean("raw").value_or(false))
    reader.fail("raw",
                "\"raw\" cannot be used here: prompts go through the harmony format; /v1/completions takes raw ones");
  if (!reader.text("template").value_or("").empty())
    reader.fail("template", "\"template\" cannot be used: the harmony format is the only one that this model knows");
  if (!reader.text("suffix").value_or("").empty())
    reader.fail("suffix", "this model does not support insert: \"suffix\" cannot be used");
  const json::array* context = reader.array("context");
  request.ignores_context = context && !context->empty();
  if (std::optional<std::string> system = reader.text("system"); system && !system->empty())
    request.prompt.instructions = std::move(*system);
  ChatTurn turn;
  turn.place = "prompt";
  turn.text = reader.text("prompt").value_or("");
  request.only_loads = turn.text.empty();
  request.prompt.turns.push_back(std::move(turn));
  return request;
}

}  // namespace gossamer::server
