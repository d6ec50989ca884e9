#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "server/answer_tally.h"
#include "server/app.h"
#include "server/call.h"
#include "server/chat_prompt.h"
#include "server/constrain.h"
#include "server/ids.h"
#include "server/responses_items.h"
#include "server/responses_service.h"
#include "server/responses_truncation.h"
#include "server/served_model.h"
#include "server/server_tools.h"
#include "server/shown_text.h"
#include "server/tool_names.h"
#include "server/tool_service.h"
#include "server/turn_memory.h"

namespace gossamer::server {
namespace {

constexpr size_t kMostWarningBytes = 400;
constexpr size_t kMostReferences = 4096;  // to items, in one request

/// A request on its way to be answered.
struct Creation {
  std::shared_ptr<Call> call;
  std::shared_ptr<ResponsesService> service;
  std::shared_ptr<ServedModel> model;
  json::object body;
  ResponsesRequest request;
  std::string warning;
  ChatPrompt prompt;
  ChatRequest chat;          ///< all but the conversation, which is made of `prompt`
  bool counts_only = false;  ///< how many tokens the input has is all that is asked
};

/// Words of a client for a header: what could end it, or is no ASCII, is left out.
std::string header_text(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ", ";
    for (const char c : std::string_view(word).substr(0, 40))
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
          c == '.')
        text += c;
    if (text.size() > kMostWarningBytes) return text + ", ...";
  }
  return text;
}

void warn(Creation& creation, std::string_view what, const std::vector<std::string>& words) {
  if (words.empty()) return;
  if (!creation.warning.empty()) creation.warning += "; ";
  creation.warning += fmt::format("ignored {}: {}", what, header_text(words));
}

json::array parsed_items(const std::string& text) {
  const Result<json::value> value = parse_json(text, "a stored response");
  return value.ok() && value->is_array() ? value->get_array() : json::array();
}

json::array output_items(const std::string& body) {
  const Result<json::value> value = parse_json(body, "a stored response");
  const json::value* output = value.ok() ? find_member(*value, "output") : nullptr;
  return output && output->is_array() ? output->get_array() : json::array();
}

/// Items of a response: what was put in, and what came out.
json::array all_items(const StoredResponse& response) {
  json::array items = parsed_items(response.input);
  for (json::value& item : output_items(response.body)) items.push_back(std::move(item));
  return items;
}

std::string id_of(const json::value& item) {
  const json::value* id = find_member(item, "id");
  const json::string* text = id ? id->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

/// The responses that items are of, each once.
std::vector<std::string> responses_of(const std::vector<std::string>& item_ids) {
  std::set<std::string> ids;
  for (const std::string& item_id : item_ids)
    if (std::optional<std::string> id = response_of_item(item_id)) ids.insert(std::move(*id));
  return {ids.begin(), ids.end()};
}

/// Puts the items in the place of references to them, each once: a small request cannot become a huge one. A reference
/// to what is not there is a problem.
void resolve_references(json::array& input, std::map<std::string, json::value> known, JsonReader& reader) {
  for (size_t i = 0; i < input.size(); ++i) {
    if (*find_member(input[i], "type") != "item_reference") continue;
    const auto found = known.find(id_of(input[i]));
    if (found != known.end()) {
      input[i] = std::move(found->second);
      known.erase(found);
      continue;
    }
    ApiError error = bad_request(
        fmt::format("input[{}].id", i),
        fmt::format("input[{}] refers to an item \"{}\" that is not stored, or that an item before it refers to", i,
                    shown(id_of(input[i]))));
    error.status = 404;
    return reader.fail(std::move(error));
  }
}

/// To a millionth: numbers of so few digits are the same after they were stored as text and read again.
void round_numbers(json::object& object) {
  for (auto& member : object) {
    json::value& value = member.value();
    if (value.is_double()) value = std::round(value.get_double() * 1e6) / 1e6;
    if (value.is_object()) round_numbers(value.get_object());
  }
}

AnswerTally tally_of(const AnswerEvent& end) {
  AnswerTally tally(1);
  tally.add(end);
  return tally;
}

std::shared_ptr<ResponsesRun> make_run(const Creation& creation) {
  ResponsesRun::Parts parts;
  parts.request = creation.request;
  parts.tenant = creation.call->tenant;
  parts.store = creation.service->store();
  parts.warning = creation.warning;
  parts.extras = [with_timings = creation.call->app.options().timings](const AnswerEvent& end) {
    json::object extras;
    if (with_timings) tally_of(end).add_timings(extras);
    round_numbers(extras);
    return extras;
  };
  parts.on_end = [service = creation.service, record = creation.request.background ? nullptr : creation.call->record,
                  id = response_id(creation.request.stem)](const AnswerEvent& end) {
    service->remove_running(id);
    if (record) tally_of(end).fill(*record);
  };
  return std::make_shared<ResponsesRun>(std::move(parts));
}

/// Who hears of it. Called before the first event, and after the last thing that could be refused.
void listen(const Creation& creation, const std::shared_ptr<ResponsesRun>& run) {
  const std::shared_ptr<http::Exchange>& exchange = creation.call->exchange;
  if (creation.request.stream) {
    begin_responses_stream(*exchange, creation.warning);
    return run->stream_to(exchange);
  }
  if (!creation.request.background) return run->answer(exchange);
  http::Response response = json_response(run->snapshot());
  if (!creation.warning.empty()) response.headers.add("x-gossamer-warning", creation.warning);
  exchange->respond(std::move(response));
}

/// Lets /abort find it. The run itself ends with its client, where it is not in the background.
void follow(const Creation& creation, const std::string& id, const std::shared_ptr<Generation>& generation) {
  const Call& call = *creation.call;
  call.app.add_running(id, call.tenant, generation, creation.request.background);
  if (creation.request.background) return;
  call.record->answer_id = id;
  call.app.add_running(call.request_id, call.tenant, generation);
}

ChatRequest chat_request(const ResponsesRequest& request, const Call& call) {
  ChatRequest chat;
  if (request.tool_choice.choice.kind != ToolChoice::Kind::kNone) chat.functions = request.tool_choice.allowed;
  chat.arguments = request.tools.arguments;
  chat.tool_choice = request.tool_choice.choice;
  chat.parallel_tool_calls = request.parallel_tool_calls;
  chat.most_server_calls = request.max_tool_calls;
  chat.format = request.format;
  chat.limits = request.limits;
  call.complete(chat.limits);
  return chat;
}

Result<std::shared_ptr<Generation>> start(Creation& creation, JsonReader& reader,
                                          const std::shared_ptr<ResponsesRun>& run) {
  const bool truncates = creation.request.truncates;
  std::vector<ChatTurn>& turns = creation.prompt.turns;
  if (truncates) drop_hopeless(turns, creation.model->max_sequence_tokens());
  for (size_t count = 1;; count *= 2) {
    creation.chat.conversation = make_conversation(creation.prompt, creation.model->today(), reader);
    if (!reader.ok()) return make_error(ErrorCode::kInvalidInput, "{}", reader.problem()->message);
    Result<std::shared_ptr<Generation>> generation = start_chat(
        *creation.call, creation.model, creation.chat, [run](const AnswerEvent& event) { run->on_event(event); });
    if (generation.ok() || generation.error().code != ErrorCode::kTooLong || !truncates) return generation;
    if (!drop_oldest(turns, count)) return generation;
  }
}

void offer_server_tools(Creation& creation) {
  for (const ServerToolUse& use : creation.request.tools.by_server) {
    harmony::ToolNamespace space = use.tool->description();
    const size_t num_removed =
        std::erase_if(space.tools, [&](const harmony::ToolDescription& tool) { return !use.may_call(tool.name); });
    if (num_removed > 0 && space.tools.empty()) continue;  // none of its functions may be called
    for (const harmony::ToolDescription& tool : space.tools)
      if (use.asks_about(tool.name)) creation.chat.asks_before.push_back(space.name + "." + tool.name);
    offer_tool(std::move(space), creation.prompt, creation.chat);
  }
  if (const auto& allowed = creation.request.tool_choice.allowed_of_server)
    std::erase_if(creation.chat.built_ins, [&](const std::string& recipient) {
      return std::ranges::none_of(*allowed, [&](const auto& name) { return names_recipient(name, recipient); });
    });
}

/// The call that the input approves, if it does: one of a tool that this request may call.
void take_approved_call(std::optional<ApprovedCall> approved, Creation& creation, JsonReader& reader) {
  creation.chat.approved = std::move(approved);
  if (!creation.chat.approved) return;
  const std::string& recipient = creation.chat.approved->recipient;
  if (std::ranges::find(creation.chat.built_ins, recipient) == creation.chat.built_ins.end())
    reader.fail("input", fmt::format("the input approves a call of \"{}\", which this request's tools, tool_choice and "
                                     "max_tool_calls do not allow",
                                     shown(recipient)));
}

/// The first items of a response with MCP servers: what they offer.
void list_mcp_tools(const ResponsesTools& tools, ResponsesRun& run) {
  for (const ServerToolUse& use : tools.by_server) {
    if (use.tool->kind() != tools::Tool::Kind::kMcp) continue;
    json::array offered;
    for (const harmony::ToolDescription& tool : use.tool->description().tools)
      if (use.may_call(tool.name))
        offered.push_back(json::object{{"name", tool.name},
                                       {"description", tool.description},
                                       {"input_schema", tool.parameters.value_or(json::object())},
                                       {"annotations", nullptr}});
    AnswerEvent event;
    event.kind = AnswerEvent::Kind::kServerTools;
    event.name = use.tool->name();
    event.details = std::make_shared<const json::object>(json::object{{"tools", std::move(offered)}});
    run.on_event(event);
  }
}

/// From the prompt on, whose answer's constraint is known.
void begin_response(Creation& creation) {
  JsonReader reader(creation.body);
  const std::shared_ptr<ResponsesRun> run = make_run(creation);
  if (!creation.chat.built_ins.empty()) list_mcp_tools(creation.request.tools, *run);
  Result<std::shared_ptr<Generation>> generation = start(creation, reader, run);
  if (!reader.ok()) return creation.call->respond(*reader.problem());
  if (!generation.ok()) return creation.call->respond(refused(generation.error(), *creation.model, "input"));
  follow(creation, run->id(), *generation);
  if (creation.request.store) creation.service->add_running(run);
  listen(creation, run);
  run->begin(std::move(*generation));
}

/// {"object": "response.input_tokens", "input_tokens"}: what the prompt would have.
void count_input(const Creation& creation, JsonReader& reader) {
  const harmony::Conversation conversation = make_conversation(creation.prompt, creation.model->today(), reader);
  if (!reader.ok()) return creation.call->respond(*reader.problem());
  const Result<std::vector<TokenId>> tokens = prompt_tokens(*creation.model->tokenizer(), conversation);
  if (!tokens.ok()) return creation.call->respond(api_error_of(tokens.error()));
  creation.call->respond(json::object{{"object", "response.input_tokens"}, {"input_tokens", tokens->size()}});
}

/// Past calls of tools that take the text of a grammar, as the model writes them.
void write_as_text(const ResponsesTools& tools, std::vector<ChatTurn>& turns) {
  for (ChatTurn& turn : turns) {
    for (PastCall& call : turn.calls) {
      call.is_text = !call.is_of_server && tools.kind_of(model_tool_name(call.name)) == ResponsesToolKind::kCustomText;
      if (call.is_text) call.arguments = custom_input(call.arguments);
    }
  }
}

/// From the items of the conversation on.
void answer(const std::shared_ptr<Creation>& created, const std::vector<PlacedItem>& items) {
  Creation& creation = *created;
  JsonReader reader(creation.body);
  ResponsesRequest& request = creation.request;
  const ReasoningSeal& seal = creation.service->store()->seal();
  ItemTurns read = turns_from_items(
      items, [&](std::string_view sealed) { return seal.open(sealed, creation.call->tenant); }, reader);
  warn(creation, "tools", request.tools.ignored_types);
  warn(creation, "items", read.ignored_types);
  if (read.unread_reasoning > 0) warn(creation, "reasoning", {"not-sealed-here"});
  write_as_text(request.tools, read.turns);
  creation.prompt = {request.instructions, std::move(read.turns), {}, request.effort, request.format};
  if (request.tool_choice.choice.kind != ToolChoice::Kind::kNone) creation.prompt.functions = request.tools.functions;
  creation.call->app.turn_memory().recall(creation.call->tenant, creation.prompt.turns);
  creation.chat = chat_request(request, *creation.call);
  if (request.tool_choice.choice.kind != ToolChoice::Kind::kNone && request.max_tool_calls != 0)
    offer_server_tools(creation);
  take_approved_call(std::move(read.approved), creation, reader);
  if (!reader.ok()) return creation.call->respond(*reader.problem());
  if (creation.counts_only) return count_input(creation, reader);
  constrain(creation.call, creation.model, std::shared_ptr<ChatRequest>(created, &creation.chat),
            [created] { begin_response(*created); });
}

/// With what the request goes on from, and refers to.
void answer_after(const std::shared_ptr<Creation>& created, const ResponsesStore::Chain& chain) {
  Creation& creation = *created;
  JsonReader reader(creation.body);
  std::vector<json::array> history;
  std::map<std::string, json::value> known;
  for (const StoredResponse& response : chain.responses) history.push_back(all_items(response));
  for (const json::array& items : history)
    for (const json::value& item : items) known.emplace(id_of(item), item);
  for (const StoredResponse& response : chain.more)
    for (const json::value& item : all_items(response)) known.emplace(id_of(item), item);
  for (const json::value& item : creation.request.input)
    if (*find_member(item, "type") != "item_reference") known.emplace(id_of(item), item);
  resolve_references(creation.request.input, std::move(known), reader);
  if (!reader.ok()) return creation.call->respond(*reader.problem());

  std::vector<PlacedItem> items;
  for (const json::array& past : history)
    for (const json::value& item : past)
      if (item.is_object()) items.push_back({&item.get_object(), "previous_response_id"});
  for (size_t i = 0; i < creation.request.input.size(); ++i)
    items.push_back({&creation.request.input[i].get_object(), fmt::format("input[{}]", i)});
  answer(created, items);
}

void take_request(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service,
                  bool counts_only) {
  std::optional<json::object> body = call->read_body();
  if (!body) return;
  const auto creation = std::make_shared<Creation>();
  creation->counts_only = counts_only;
  creation->call = call;
  creation->service = service;
  creation->body = std::move(*body);
  JsonReader reader(creation->body);
  const std::optional<std::string> name = reader.text("model");
  if (!reader.ok()) return call->respond(*reader.problem());
  creation->model = call->find_model(name.value_or(""));
  if (!creation->model) return;
  const ToolService* tools = call->app.tool_service();
  creation->request = read_responses_request(reader, *creation->model, make_id(""), tools ? &tools->tools() : nullptr);
  if (!reader.ok()) return call->respond(*reader.problem());

  const std::vector<std::string> references = referenced_items(creation->request.input);
  if (references.size() > kMostReferences)
    return call->respond(bad_request("input", fmt::format("the input refers to {} items, at most {} are allowed",
                                                          references.size(), kMostReferences)));
  const std::vector<std::string> holders = responses_of(references);
  const std::string previous = creation->request.previous_response_id.value_or("");
  if (previous.empty() && holders.empty()) return answer_after(creation, {});
  service->store()->get_chain(previous, holders, call->tenant, [creation](ResponsesStore::Chain chain) {
    if (!chain.missing.empty()) return creation->call->respond(no_such_response(chain.missing, "previous_response_id"));
    answer_after(creation, chain);
  });
}

}  // namespace

void create_response(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  take_request(call, service, /*counts_only=*/false);
}

void count_response_input(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  take_request(call, service, /*counts_only=*/true);
}

}  // namespace gossamer::server
