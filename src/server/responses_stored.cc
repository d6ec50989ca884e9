#include <algorithm>
#include <charconv>
#include <utility>

#include "server/app.h"
#include "server/call.h"
#include "server/responses_service.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

constexpr int64_t kDefaultPage = 20, kLargestPage = 100;

/// A whole number of the query; nothing where it is absent. Problems are answered by the caller.
std::optional<int64_t> whole_query(const Call& call, std::string_view key, bool& is_wrong) {
  const std::optional<std::string> text = call.query(key);
  if (!text) return std::nullopt;
  int64_t number = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (failure == std::errc() && end == text->data() + text->size()) return number;
  is_wrong = true;
  return std::nullopt;
}

json::value parsed(const std::string& text) {
  Result<json::value> value = parse_json(text, "a stored response");
  return value.ok() ? std::move(*value) : json::value();
}

void respond_text(const Call& call, std::string body) {
  http::Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(body);
  call.exchange->respond(std::move(response));
}

ApiError not_a_stream(const std::string& id) {
  return bad_request("stream", fmt::format("the response \"{}\" cannot be streamed: it was not made with "
                                           "\"stream\": true",
                                           shown(id)));
}

void stream_stored(const Call& call, const ResponsesService& service, const StoredResponse& stored, int64_t after) {
  const json::value body = parsed(stored.body);
  if (stored.log.empty() || !body.is_object()) return call.respond(not_a_stream(stored.id));
  ResponsesWriterOptions options = writer_options_of(body.get_object(), service.store()->seal(), call.tenant);
  begin_responses_stream(*call.exchange, {});
  call.exchange->write(replayed_events(stored.log, std::move(options), after));
  call.exchange->end();
}

void get_response(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  const std::string id = call->path.at(0);
  bool is_wrong = false;
  const int64_t after = whole_query(*call, "starting_after", is_wrong).value_or(-1);
  if (is_wrong) return call->respond(bad_request("starting_after", "starting_after must be a whole number"));
  const std::string stream = call->query("stream").value_or("false");
  const bool streams = stream == "true" || stream == "True" || stream == "1";
  if (const std::shared_ptr<ResponsesRun> run = service->find_running(id, call->tenant)) {
    if (!streams) return call->respond(run->snapshot());
    if (!run->resume(call->exchange, after, [&] { begin_responses_stream(*call->exchange, {}); }))
      call->respond(not_a_stream(id));
    return;
  }
  service->store()->get(id, call->tenant, [=](std::optional<StoredResponse> stored) {
    if (!stored) return call->respond(no_such_response(id, "response_id"));
    if (streams) return stream_stored(*call, *service, *stored, after);
    respond_text(*call, std::move(stored->body));
  });
}

void delete_response(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  const std::string id = call->path.at(0);
  const std::shared_ptr<ResponsesRun> run = service->find_running(id, call->tenant);
  if (run) run->discard();
  service->store()->erase(id, call->tenant, [call, id, was_running = run != nullptr](bool was_there) {
    if (!was_there && !was_running) return call->respond(no_such_response(id, "response_id"));
    call->respond(json::object{{"id", id}, {"object", "response"}, {"deleted", true}});
  });
}

ApiError only_in_background(const std::string& id) {
  return bad_request("response_id", fmt::format("the response \"{}\" was not made with \"background\": true: close its "
                                                "connection to cancel it",
                                                shown(id)));
}

void cancel_response(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  const std::string id = call->path.at(0);
  if (const std::shared_ptr<ResponsesRun> run = service->find_running(id, call->tenant)) {
    if (!run->is_background()) return call->respond(only_in_background(id));
    run->answer(call->exchange);
    return run->cancel_by_client();
  }
  service->store()->get(id, call->tenant, [=](std::optional<StoredResponse> stored) {
    if (!stored) return call->respond(no_such_response(id, "response_id"));
    const json::value body = parsed(stored->body);
    const json::value* background = find_member(body, "background");
    if (!background || *background != true) return call->respond(only_in_background(id));
    respond_text(*call, std::move(stored->body));  // it has ended before
  });
}

/// One page of a list: {"object": "list", "data", "first_id", "last_id", "has_more"}.
struct Page {
  int64_t limit = kDefaultPage;
  bool newest_first = true;
  std::string after;
};

std::string id_of(const json::value& item) {
  const json::value* id = find_member(item, "id");
  const json::string* text = id ? id->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

json::object page_of(const json::array& items, const Page& page) {
  json::array ordered = items;
  if (page.newest_first) std::reverse(ordered.begin(), ordered.end());
  size_t begin = 0;
  if (!page.after.empty())
    while (begin < ordered.size() && id_of(ordered[begin++]) != page.after) {
    }
  const size_t end = std::min(ordered.size(), begin + static_cast<size_t>(page.limit));
  json::array data(ordered.begin() + static_cast<std::ptrdiff_t>(begin),
                   ordered.begin() + static_cast<std::ptrdiff_t>(end));
  json::value first, last;
  if (!data.empty()) first = id_of(data.front()), last = id_of(data.back());
  return {{"object", "list"},
          {"data", std::move(data)},
          {"first_id", first},
          {"last_id", last},
          {"has_more", end < ordered.size()}};
}

void list_input_items(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service) {
  const std::string id = call->path.at(0);
  Page page;
  bool is_wrong = false;
  page.limit = whole_query(*call, "limit", is_wrong).value_or(kDefaultPage);
  if (is_wrong || page.limit < 1 || page.limit > kLargestPage)
    return call->respond(bad_request("limit", fmt::format("limit must be a whole number from 1 to {}", kLargestPage)));
  const std::string order = call->query("order").value_or("desc");
  if (order != "asc" && order != "desc")
    return call->respond(bad_request("order", "order must be \"asc\" or \"desc\""));
  page.newest_first = order == "desc";
  page.after = call->query("after").value_or("");
  if (const std::shared_ptr<ResponsesRun> run = service->find_running(id, call->tenant))
    return call->respond(page_of(run->input(), page));
  service->store()->get(id, call->tenant, [=](std::optional<StoredResponse> stored) {
    if (!stored) return call->respond(no_such_response(id, "response_id"));
    const json::value items = parsed(stored->input);
    call->respond(page_of(items.is_array() ? items.get_array() : json::array(), page));
  });
}

}  // namespace

void add_stored_responses_routes(App& app, const std::shared_ptr<ResponsesService>& service) {
  const auto add = [&](const char* method, const char* pattern, auto handler) {
    for (const char* base : {"/v1", ""})
      app.add_route(method, std::string(base) + pattern,
                    [service, handler](const std::shared_ptr<Call>& call) { handler(call, service); });
  };
  add("GET", "/responses/{id}", get_response);
  add("DELETE", "/responses/{id}", delete_response);
  add("POST", "/responses/{id}/cancel", cancel_response);
  add("GET", "/responses/{id}/input_items", list_input_items);
}

}  // namespace gossamer::server
