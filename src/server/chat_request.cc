#include "server/chat_request.h"

#include <algorithm>
#include <set>
#include <utility>

#include "harmony/json_text.h"
#include "server/answer_limits.h"
#include "server/chat_prompt.h"
#include "server/output_format.h"
#include "server/request_fields.h"
#include "server/shown_text.h"
#include "server/tool_names.h"

namespace gossamer::server {
namespace {

std::optional<ChatTurn::Role> role_of(std::string_view name) {
  if (name == "user") return ChatTurn::Role::kUser;
  if (name == "assistant") return ChatTurn::Role::kAssistant;
  if (name == "system") return ChatTurn::Role::kSystem;
  if (name == "developer") return ChatTurn::Role::kDeveloper;
  if (name == "tool" || name == "function") return ChatTurn::Role::kTool;
  return std::nullopt;
}

/// Arguments as text; some clients send the object itself.
std::string arguments_of(JsonReader& function) {
  const json::value* arguments = function.any("arguments");
  if (!arguments) return "{}";
  if (const json::string* text = arguments->if_string()) return std::string(*text);
  return harmony::compact_json(*arguments);
}

std::vector<PastCall> read_calls(JsonReader& message) {
  std::vector<PastCall> calls;
  const json::array* list = message.array("tool_calls");
  if (!list) return calls;
  for (size_t i = 0; i < list->size() && message.ok(); ++i) {
    const std::string here = fmt::format("{}[{}]", message.place("tool_calls"), i);
    const json::value* function = find_member((*list)[i], "function");
    if (!function || !function->is_object()) {
      message.fail(bad_request(here, fmt::format("{} must be an object with a \"function\"", here)));
      break;
    }
    JsonReader call = message.inside((*list)[i].get_object(), here);
    JsonReader fields = message.inside(function->get_object(), here + ".function");
    PastCall past{call.text("id").value_or(""), fields.text("name").value_or(""), arguments_of(fields)};
    if (past.name.empty()) fields.fail("name", fmt::format("{}.function.name is missing", here));
    if (!past.id.empty() && std::ranges::find(calls, past.id, &PastCall::id) != calls.end())
      call.fail("id", fmt::format("{}.id is \"{}\", as that of a call before it in the same message: give each call an "
                                  "id of its own",
                                  here, shown(past.id)));
    calls.push_back(std::move(past));
  }
  return calls;
}

/// Reasoning that a client gives back, under any of the names in use.
std::string read_reasoning(JsonReader& message) {
  for (const char* name : {"reasoning", "reasoning_content", "thinking"})
    if (const json::value* value = message.any(name); value && value->is_string() && !value->get_string().empty())
      return std::string(value->get_string());
  return {};
}

ChatTurn read_turn(const json::object& object, const std::string& place, JsonReader& reader) {
  JsonReader message = reader.inside(object, place);
  ChatTurn turn;
  turn.place = place;
  const std::string role_name = message.text("role").value_or("");
  const std::optional<ChatTurn::Role> role = role_of(role_name);
  if (!role) {
    message.fail("role", fmt::format("{}.role is \"{}\", it must be system, developer, user, assistant or tool", place,
                                     role_name.substr(0, 40)));
    return turn;
  }
  turn.role = *role;
  turn.text = read_content(message.any("content"), message.place("content"), message);
  if (turn.role == ChatTurn::Role::kAssistant) {
    turn.reasoning = read_reasoning(message);
    turn.calls = read_calls(message);
  }
  if (turn.role == ChatTurn::Role::kTool) {
    turn.call_id = message.text("tool_call_id").value_or("");
    turn.tool_name = message.text("name").value_or("");
  }
  return turn;
}

std::vector<ChatTurn> read_turns(JsonReader& reader) {
  std::vector<ChatTurn> turns;
  const json::array* messages = reader.array("messages");
  if (!messages || messages->empty()) {
    reader.fail("messages", "\"messages\" must be a list of at least one message");
    return turns;
  }
  for (size_t i = 0; i < messages->size() && reader.ok(); ++i) {
    const std::string place = fmt::format("messages[{}]", i);
    if (const json::object* message = (*messages)[i].if_object())
      turns.push_back(read_turn(*message, place, reader));
    else
      reader.fail(bad_request(place, fmt::format("{} must be an object", place)));
  }
  return turns;
}

std::optional<uint32_t> read_logprobs(JsonReader& reader) {
  const bool wanted = reader.boolean("logprobs").value_or(false);
  const std::optional<int64_t> top = reader.whole(fields::kTopLogprobs);
  if (!wanted && top.value_or(0) > 0) reader.fail("top_logprobs", "\"top_logprobs\" needs \"logprobs\": true");
  if (!wanted) return std::nullopt;
  return static_cast<uint32_t>(top.value_or(0));
}

std::vector<harmony::ToolDescription> read_tools(JsonReader& reader, ChatRequest& request) {
  const json::array* tools = reader.array("tools");
  if (!tools) return {};
  if (tools->size() > fields::kMostTools) {
    reader.fail("tools",
                fmt::format("\"tools\" has {} items, at most {} are allowed", tools->size(), fields::kMostTools));
    return {};
  }
  std::vector<harmony::ToolDescription> functions = read_functions(*tools, "tools", reader, request.arguments);
  for (const harmony::ToolDescription& function : functions) request.functions.push_back(function.name);
  return functions;
}

/// {"type": "function", "function": {"name"}}, or flat.
std::string chosen_function(JsonReader& choice) {
  if (const json::object* function = choice.object("function")) {
    JsonReader fields = choice.inside(*function, choice.place("function"));
    return fields.text("name").value_or("");
  }
  return choice.text("name").value_or("");
}

/// "ignore_eos", which load tools send: the answer goes on to its last token. Whatever would end the turn is never
/// chosen, so the model ends the message and begins another.
void go_on_for_load_tools(AnswerLimits& limits) {
  if (!std::exchange(limits.ignore_eos, false)) return;
  limits.min_tokens = limits.max_tokens > 0 ? limits.max_tokens : static_cast<uint32_t>(fields::kMostTokens);
}

/// What would change the answer, and cannot be done: better no answer than another one.
void refuse_what_is_not_there(JsonReader& reader) {
  for (const std::string& modality : reader.texts("modalities", fields::kMostModalities))
    if (modality != "text")
      reader.fail("modalities",
                  fmt::format("\"modalities\" asks for {}: this model writes text only", shown(modality)));
  if (reader.boolean("continue_final_message").value_or(false))
    reader.fail(
        "continue_final_message",
        "\"continue_final_message\" is not supported: an answer is a message of its own; /v1/completions goes on "
        "from any text");
  if (reader.boolean("use_beam_search").value_or(false))
    reader.fail("use_beam_search", "\"use_beam_search\" is not supported; ask for \"n\" and choose");
  const int64_t n = reader.whole(fields::kN).value_or(1);
  if (reader.whole(fields::kBestOf).value_or(n) != n)
    reader.fail("best_of", "\"best_of\" is not supported; ask for \"n\" and choose");
  if (reader.any("truncate_prompt_tokens"))
    reader.fail(
        "truncate_prompt_tokens",
        "\"truncate_prompt_tokens\" is for /v1/completions: half a chat is none; leave out the oldest messages, or "
        "ask /v1/responses with \"truncation\": \"auto\"");
}

/// Fields of OpenAI's that change nothing here: what is no such field at all is told all the same.
void check_what_changes_nothing(JsonReader& reader) {
  (void)reader.object("metadata");
  (void)reader.boolean("store");
  for (const char* name : {"user", "safety_identifier", "prompt_cache_key"}) (void)reader.text(name);
}

/// "tool_choice", read.
struct ChosenTools {
  ToolChoice choice;
  std::optional<std::vector<std::string>> allowed;  ///< names of tools that may be called; nothing: all
};

/// {"mode": "auto" | "required", "tools": [{"type": "function", "function": {"name"}}, ...]}.
ChosenTools read_allowed_tools(JsonReader& reader) {
  ChosenTools chosen;
  const std::string mode = reader.text("mode").value_or("auto");
  if (mode != "auto" && mode != "required")
    reader.fail("mode",
                fmt::format("{} is \"{}\", it must be \"auto\" or \"required\"", reader.place("mode"), shown(mode)));
  if (mode == "required") chosen.choice.kind = ToolChoice::Kind::kRequired;
  const json::array* tools = reader.array("tools");
  if (!tools || tools->size() > fields::kMostTools) {
    reader.fail("tools",
                fmt::format("{} must be a list of at most {} tools", reader.place("tools"), fields::kMostTools));
    return chosen;
  }
  chosen.allowed.emplace();
  for (size_t i = 0; i < tools->size(); ++i) {
    const std::string here = fmt::format("{}[{}]", reader.place("tools"), i);
    const json::object* tool = (*tools)[i].if_object();
    if (!tool) {
      reader.fail("tools", fmt::format("{} must be an object", here));
      break;
    }
    JsonReader fields = reader.inside(*tool, here);
    chosen.allowed->push_back(chosen_function(fields));
  }
  return chosen;
}

ChosenTools read_tool_choice(JsonReader& reader) {
  const json::value* value = reader.any("tool_choice");
  if (!value) return {};
  const auto unknown = [&] {
    reader.fail(
        "tool_choice",
        "\"tool_choice\" must be \"auto\", \"none\", \"required\", {\"type\": \"function\", \"function\": "
        "{\"name\": ...}} or {\"type\": \"allowed_tools\", \"allowed_tools\": {\"mode\": ..., \"tools\": [...]}}");
    return ChosenTools();
  };
  if (const json::string* word = value->if_string()) {
    if (*word == "auto") return {};
    if (*word == "none") return {{ToolChoice::Kind::kNone, {}}, {}};
    if (*word != "required" && *word != "any") return unknown();
    return {{ToolChoice::Kind::kRequired, {}}, {}};
  }
  if (!value->is_object()) return unknown();
  JsonReader fields = reader.inside(value->get_object(), reader.place("tool_choice"));
  const std::string type = fields.text("type").value_or("");
  if (type == "function") return {{ToolChoice::Kind::kNamed, chosen_function(fields)}, {}};
  const json::object* allowed = type == "allowed_tools" ? fields.object("allowed_tools") : nullptr;
  if (!allowed) return unknown();
  JsonReader inner = fields.inside(*allowed, fields.place("allowed_tools"));
  return read_allowed_tools(inner);
}

/// Leaves of the tools those that one of `names` means: a function of the client, else a tool of the server.
void keep_allowed(const std::vector<std::string>& names, JsonReader& reader, ChatRequest& request) {
  std::set<std::string, std::less<>> functions, of_server;
  for (const std::string& name : names) {
    const auto means = [&](const std::string& recipient) { return names_recipient(name, recipient); };
    if (std::ranges::find(request.functions, model_tool_name(name)) != request.functions.end())
      functions.insert(model_tool_name(name));
    else if (std::ranges::any_of(request.built_ins, means))
      of_server.insert(name);
    else
      return reader.fail("tool_choice",
                         fmt::format("\"tool_choice\" allows \"{}\", which is none of the \"tools\"", shown(name)));
  }
  std::erase_if(request.functions, [&](const std::string& function) { return !functions.contains(function); });
  std::erase_if(request.built_ins, [&](const std::string& recipient) {
    return std::ranges::none_of(of_server, [&](const auto& name) { return names_recipient(name, recipient); });
  });
}

/// Whose tool it names: the client's, else the server's.
void resolve_tool_choice(JsonReader& reader, ChatRequest& request) {
  ToolChoice& choice = request.tool_choice;
  if (choice.kind == ToolChoice::Kind::kRequired && request.functions.empty() && request.built_ins.empty())
    return reader.fail("tool_choice", "\"tool_choice\" asks for a call, but there are no \"tools\"");
  if (choice.kind != ToolChoice::Kind::kNamed) return;
  const std::string function = model_tool_name(choice.name);
  const bool is_function = std::ranges::find(request.functions, function) != request.functions.end();
  const auto means = [&](const std::string& recipient) { return names_recipient(choice.name, recipient); };
  choice.is_of_server = !is_function && std::ranges::any_of(request.built_ins, means);
  if (is_function) choice.name = function;
  if (!is_function && !choice.is_of_server)
    reader.fail("tool_choice",
                fmt::format("\"tool_choice\" names \"{}\", which is none of the \"tools\"", choice.name.substr(0, 80)));
}

}  // namespace

ChatCompletion read_chat_completion(JsonReader& reader, const ServedModel& model, const PromptHook& complete) {
  ChatCompletion body;
  ChatRequest& request = body.request;
  ChatPrompt prompt;
  prompt.turns = read_turns(reader);
  prompt.functions = read_tools(reader, request);
  const ChosenTools chosen = read_tool_choice(reader);
  request.tool_choice = chosen.choice;
  if (request.tool_choice.kind == ToolChoice::Kind::kNone) prompt.functions.clear();
  request.parallel_tool_calls = reader.boolean("parallel_tool_calls").value_or(true);
  prompt.format = read_output_format(reader.object("response_format"), "response_format", reader);
  read_grammar_fields(reader, prompt.format);
  request.format = prompt.format;
  prompt.effort = read_effort("reasoning_effort", reader);
  // As OpenRouter and responses have it.
  if (const json::value* reasoning = reader.any("reasoning"); reasoning && reasoning->is_object()) {
    JsonReader fields = reader.inside(reasoning->get_object(), "reasoning");
    if (!prompt.effort) prompt.effort = read_effort("effort", fields);
    body.shows_reasoning = !fields.boolean("exclude").value_or(false);
  }
  // As templates of others take it.
  if (const json::object* template_fields = reader.object("chat_template_kwargs")) {
    JsonReader fields = reader.inside(*template_fields, "chat_template_kwargs");
    if (!prompt.effort) prompt.effort = read_effort("reasoning_effort", fields);
  }
  request.num_choices = static_cast<uint32_t>(reader.whole(fields::kN).value_or(1));
  request.limits = read_limits(reader, model);
  request.limits.reasoning_budget_tokens = read_reasoning_budget(reader);
  const std::optional<uint32_t> max_tokens = read_token_limit(reader, fields::kMaxTokens);
  request.limits.max_tokens = read_token_limit(reader, fields::kMaxCompletionTokens).value_or(max_tokens.value_or(0));
  request.limits.top_logprobs = read_logprobs(reader);
  go_on_for_load_tools(request.limits);

  body.stream = reader.boolean("stream").value_or(false);
  body.return_token_ids = reader.boolean("return_token_ids").value_or(false);
  body.shows_reasoning = reader.boolean("include_reasoning").value_or(body.shows_reasoning);
  body.stream_options = read_stream_options(reader);
  refuse_what_is_not_there(reader);
  check_what_changes_nothing(reader);
  if (reader.ok() && complete) complete(prompt, request);
  if (reader.ok() && chosen.allowed) keep_allowed(*chosen.allowed, reader, request);
  if (reader.ok()) resolve_tool_choice(reader, request);
  if (reader.ok()) request.conversation = make_conversation(prompt, model.today(), reader);
  return body;
}

}  // namespace gossamer::server
