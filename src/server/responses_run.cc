#include "server/responses_run.h"

#include <chrono>

#include "harmony/json_text.h"
#include "server/api_error.h"
#include "server/responses_items.h"
#include "server/sse.h"
#include "server/tool_names.h"

namespace gossamer::server {
namespace {

int64_t unix_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

bool has_sealed_reasoning(const json::object& body) {
  const json::value* output = body.if_contains("output");
  if (!output || !output->is_array()) return false;
  for (const json::value& item : output->get_array())
    if (find_member(item, "encrypted_content")) return true;
  return false;
}

}  // namespace

ResponsesRun::ResponsesRun(Parts parts)
    : parts_(std::move(parts)),
      id_(response_id(parts_.request.stem)),
      input_text_(parts_.request.store ? harmony::compact_json(parts_.request.input) : std::string()),
      writer_(writer_options(),
              parts_.request.stream
                  ? ResponsesWriter::Sink([this](std::string_view type, uint64_t number, const std::string& text) {
                      if (!listeners_.empty()) outgoing_.emplace_back(number, sse_event(type, text));
                    })
                  : ResponsesWriter::Sink()) {}

ResponsesWriterOptions ResponsesRun::writer_options() const {
  const ResponsesRequest& request = parts_.request;
  ResponsesWriterOptions options{request.stem, request.echo, request.tools.kinds, request.background};
  if (request.wants_sealed_reasoning)
    options.seal = [store = parts_.store, tenant = parts_.tenant](std::string_view text) {
      return store->seal().seal(text, tenant);
    };
  return options;
}

void ResponsesRun::stream_to(std::shared_ptr<http::Exchange> exchange) {
  {
    const std::lock_guard lock(mutex_);
    listeners_.push_back({exchange, -1});
  }
  if (!is_background()) cancel_when_gone(exchange);
}

void ResponsesRun::answer(std::shared_ptr<http::Exchange> exchange) {
  bool ends_with_client = false;
  {
    const std::lock_guard lock(mutex_);
    ends_with_client = !began_ && !is_background();
    if (!writer_.ended())
      answers_.push_back(exchange);
    else if (!ends_with_client)
      return exchange->respond(json_response(writer_.response()));
  }
  if (ends_with_client) cancel_when_gone(exchange);
}

void ResponsesRun::cancel_when_gone(const std::shared_ptr<http::Exchange>& exchange) {
  exchange->on_gone([weak = weak_from_this()] {
    if (const std::shared_ptr<ResponsesRun> run = weak.lock()) run->cancel_by_client();
  });
}

void ResponsesRun::begin(std::shared_ptr<Generation> generation) {
  std::vector<Ended> ended;
  bool unwanted = false;
  {
    const std::lock_guard lock(mutex_);
    began_ = true;
    generation_ = generation;
    unwanted = cancelled_;
    writer_.begin();
    for (const AnswerEvent& event : std::exchange(early_, {})) take(event, ended);
    if (ended.empty()) hand_out();
  }
  if (unwanted) generation->cancel();
  for (Ended& one : ended) finish(std::move(one));
}

void ResponsesRun::on_event(const AnswerEvent& event) {
  std::vector<Ended> ended;
  {
    const std::lock_guard lock(mutex_);
    if (!began_) {
      early_.push_back(event);
      return;
    }
    take(event, ended);
  }
  for (Ended& one : ended) finish(std::move(one));
}

void ResponsesRun::take(const AnswerEvent& event, std::vector<Ended>& ended) {
  const bool is_logged = parts_.request.store && parts_.request.stream;
  if (event.kind != AnswerEvent::Kind::kEnd) {
    // Where something else stood between them, the next message is an item of its own.
    if (std::exchange(last_kind_, event.kind) != event.kind && event.is_gap) return;
    if (is_logged) log_.add(event);
    writer_.add(event);
    return hand_out();
  }
  if (writer_.ended()) return;
  ResponsesEnd end{unix_seconds(), cancelled_by_client_, parts_.extras ? parts_.extras(event) : json::object()};
  if (is_logged) log_.end(event, end);
  writer_.end(event, end);
  // Who sees the end may ask for the response at once.
  if (parts_.request.store && !discarded_) store_it();
  hand_out();
  Ended one{event, std::exchange(answers_, {}), {}, std::exchange(generation_, nullptr), writer_.response()};
  for (Listener& listener : listeners_) one.streams.push_back(std::move(listener.exchange));
  listeners_.clear();
  ended.push_back(std::move(one));
}

void ResponsesRun::store_it() {
  const ResponsesRequest& request = parts_.request;
  parts_.store->put({id_, parts_.tenant, request.previous_response_id.value_or(""),
                     harmony::compact_json(writer_.response()), std::move(input_text_), log_.text()});
}

void ResponsesRun::hand_out() {
  std::erase_if(listeners_, [&](const Listener& listener) {
    std::string bytes;
    for (const auto& [number, text] : outgoing_)
      if (static_cast<int64_t>(number) > listener.after) bytes += text;
    return !bytes.empty() && !listener.exchange->write(std::move(bytes));
  });
  outgoing_.clear();
}

void ResponsesRun::finish(Ended ended) {
  if (parts_.on_end) parts_.on_end(ended.event);
  for (const auto& exchange : ended.streams) exchange->end();
  if (!ended.answers.empty()) {
    http::Response response = json_response(ended.response);
    if (!parts_.warning.empty()) response.headers.add("x-gossamer-warning", parts_.warning);
    for (const auto& exchange : ended.answers) exchange->respond(response);
  }
}

bool ResponsesRun::resume(std::shared_ptr<http::Exchange> exchange, int64_t starting_after,
                          const std::function<void()>& begin_stream) {
  if (!is_streamed()) return false;
  begin_stream();
  // What has been, from the log; the writer goes on from there. Most of it is made without the lock, for which the
  // engine's thread would wait.
  std::string log, events;
  {
    const std::lock_guard lock(mutex_);
    log = log_.text();
  }
  ResponsesWriter past(writer_options(), [&](std::string_view type, uint64_t number, const std::string& text) {
    if (static_cast<int64_t>(number) > starting_after) events += sse_event(type, text);
  });
  replay(log, past);
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    if (began_) {
      replay_on(std::string_view(log_.text()).substr(log.size()), past);
      exchange->write(std::move(events));
    }
    ended = writer_.ended();
    if (!ended) listeners_.push_back({exchange, starting_after});
  }
  if (ended) exchange->end();
  return true;
}

json::object ResponsesRun::snapshot() {
  const std::lock_guard lock(mutex_);
  return writer_.response();
}

void ResponsesRun::cancel_by_client() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_by_client_ = true;
  }
  cancel();
}

void ResponsesRun::discard() {
  {
    const std::lock_guard lock(mutex_);
    discarded_ = cancelled_by_client_ = true;
  }
  cancel();
}

void ResponsesRun::cancel() {
  std::shared_ptr<Generation> generation;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    generation = generation_;
  }
  if (generation) generation->cancel();
}

ResponsesWriterOptions writer_options_of(const json::object& body, const ReasoningSeal& seal, TenantId tenant) {
  ResponsesWriterOptions options;
  options.echo = body;
  for (const char* key : {"ttft", "timings"}) options.echo.erase(key);
  for (const char* key : {"completed_at", "error", "incomplete_details", "usage"}) options.echo[key] = nullptr;
  options.echo["output"] = json::array();
  if (const json::value* id = body.if_contains("id"); id && id->is_string())
    options.stem = std::string_view(id->get_string()).substr(std::min<size_t>(5, id->get_string().size()));
  const json::value* background = body.if_contains("background");
  options.background = background && background->is_bool() && background->get_bool();
  if (const json::value* tools = body.if_contains("tools"); tools && tools->is_array()) {
    for (const json::value& tool : tools->get_array()) {
      const json::value* type = find_member(tool, "type");
      const json::value* name = find_member(tool, "name");
      if (type && *type == "apply_patch") options.tool_kinds.emplace("apply_patch", ResponsesToolKind::kApplyPatch);
      if (type && *type == "custom" && name && name->is_string())
        options.tool_kinds.emplace(model_tool_name(name->get_string()), custom_kind(tool.get_object()));
    }
  }
  if (has_sealed_reasoning(body))
    options.seal = [seal, tenant](std::string_view text) { return seal.seal(text, tenant); };
  return options;
}

std::string replayed_events(std::string_view log, ResponsesWriterOptions options, int64_t starting_after) {
  std::string events;
  ResponsesWriter writer(std::move(options), [&](std::string_view type, uint64_t number, const std::string& text) {
    if (static_cast<int64_t>(number) > starting_after) events += sse_event(type, text);
  });
  replay(log, writer);
  return events;
}

}  // namespace gossamer::server
