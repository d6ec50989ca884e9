#include "server/app.h"

#include <algorithm>
#include <charconv>

#include "server/absent_routes.h"
#include "server/answer_exchange.h"
#include "server/call.h"
#include "server/generation.h"
#include "server/guard.h"
#include "server/ids.h"
#include "server/metrics.h"
#include "server/request_fields.h"
#include "server/route_pattern.h"
#include "server/shown_text.h"
#include "server/tool_service.h"
#include "server/turn_memory.h"
#include "server/work_line.h"

namespace gossamer::server {
namespace {

constexpr size_t kWorkThreads = 2;       // one that is busy with a monster leaves another
constexpr size_t kMostWaitingWork = 64;  // requests

/// Bodies beyond it are read on a thread of their own: parsing and tokenizing them takes more than a few milliseconds,
/// and a thread of the transport has other people's streams to write.
constexpr size_t kLargeBodyBytes = 64u << 10;
constexpr size_t kMostWaitingLarge = 4096;
constexpr uint64_t kMostWaitingBytes = 128u << 20;

/// The id that a client gave its request, where it can stand in a header and in a log.
std::optional<std::string> client_request_id(const http::Request& request) {
  constexpr size_t kLongest = 128;
  const std::string* id = request.headers.find("x-request-id");
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == ':';
  };
  if (!id || id->empty() || id->size() > kLongest || !std::all_of(id->begin(), id->end(), is_allowed))
    return std::nullopt;
  return *id;
}

/// The header x-request-deadline in seconds; 0: there is none. Errors: it is no number of milliseconds.
Result<double> deadline_seconds(const http::Request& request) {
  constexpr const WholeField& kField = fields::kTimeoutMs;
  const std::string* text = request.headers.find("x-request-deadline");
  if (!text) return 0.0;
  int64_t ms = 0;
  const char* const end = text->data() + text->size();
  const auto [read_to, failure] = std::from_chars(text->data(), end, ms);
  if (failure == std::errc() && read_to == end && ms >= kField.min && ms <= kField.max)
    return static_cast<double>(ms) / 1e3;
  return make_error(ErrorCode::kInvalidInput,
                    "the header x-request-deadline is \"{}\", it must be the milliseconds that the answer may take, as "
                    "\"timeout_ms\" is: a whole number from {} to {}",
                    shown(*text), kField.min, kField.max);
}

/// Memory that runs out ends a request, and not the server.
template <class Work>
void or_500(const std::shared_ptr<Call>& call, Work&& work) {
  try {
    work();
  } catch (const std::exception&) {
    call->respond(server_error(500, "internal_error", "the server could not do this"));
  }
}

}  // namespace

struct App::RouteEntry {
  std::string method;
  RoutePattern pattern;
  Route route;
};

Result<std::unique_ptr<App>> App::create(AppOptions options) {
  std::unique_ptr<App> app(new App(std::move(options)));
  GOS_TRY(app->guard_, Guard::create(app->options_.api_keys, app->options_.api_key_file, app->options_.cors_origins));
  return app;
}

App::App(AppOptions options)
    : options_(std::move(options)),
      metrics_(std::make_unique<Metrics>()),
      work_(std::make_unique<WorkLine>(kWorkThreads, kMostWaitingWork)),
      large_(std::make_unique<WorkLine>(1, kMostWaitingLarge, kMostWaitingBytes)),
      turn_memory_(std::make_unique<TurnMemory>()),
      tool_service_(options_.tools ? std::make_unique<ToolService>(*options_.tools) : nullptr) {}

void App::stop_work() {
  large_->stop();
  work_->stop();
}

App::~App() {
  stop_work();
  abort("");                                 // tools that are at work end,
  if (tool_service_) tool_service_->stop();  // and nobody goes on with what they gave
  model_.reset();                            // its answers end now, and tell metrics and log
  routes_.clear();                           // what works for them is waited for
}

void App::add_route(std::string method, std::string_view pattern, Route route) {
  routes_.push_back({std::move(method), RoutePattern(pattern), std::move(route)});
}

void App::handle(std::shared_ptr<http::Exchange> exchange) {
  const http::Request& request = exchange->request();
  auto record = std::make_shared<AccessRecord>();
  record->request_id = client_request_id(request).value_or(make_id("req_"));
  record->peer = request.peer;
  record->method = request.method;
  record->path = request.path;
  if (const std::string* parent = request.headers.find("traceparent")) record->trace_id = trace_id_of(*parent);
  http::Headers headers = guard_->cors_headers(request);
  headers.add("x-request-id", record->request_id);
  auto done = [this](const AccessRecord& answered) {
    remove_running(answered);
    finished(answered);
  };
  auto answer = std::make_shared<AnswerExchange>(std::move(exchange), std::move(headers), record, std::move(done));
  auto call = std::make_shared<Call>(Call{*this, answer, {}, record->request_id, 0, record});
  or_500(call, [&] { dispatch(call); });
}

void App::note_refusal(const std::string& peer, http::Response& refusal) {
  AccessRecord record;
  record.request_id = make_id("req_");
  record.peer = peer;
  record.method = record.path = "-";  // where they were read at all, they are not to be trusted
  record.status = refusal.status;
  refusal.headers.add("x-request-id", record.request_id);
  finished(record);
}

void App::finished(const AccessRecord& record) {
  metrics_->count_http(record.status);
  if (options_.access_log) options_.access_log(record);
}

void App::dispatch(const std::shared_ptr<Call>& call) {
  const http::Request& request = call->request();
  const std::string& method = request.method == "HEAD" ? "GET" : request.method;
  std::string allow;
  const RouteEntry* chosen = nullptr;
  for (const RouteEntry& route : routes_) {
    std::optional<std::vector<std::string>> parameters = route.pattern.match(request.path);
    if (!parameters) continue;
    allow += route.method + (route.method == "GET" ? ", HEAD, " : ", ");
    if (route.method != method || chosen) continue;
    chosen = &route;
    call->path = std::move(*parameters);
  }
  if (!allow.empty()) allow += "OPTIONS";
  if (std::optional<http::Response> preflight =
          guard_->preflight(request, allow.empty() ? "GET, POST, OPTIONS" : allow))
    return call->exchange->respond(std::move(*preflight));

  ApiError refused;
  const std::optional<TenantId> tenant = guard_->tenant_of(request, refused);
  if (!tenant) return call->respond(refused);
  call->tenant = *tenant;
  if (chosen) return run_route(*chosen, call);

  constexpr size_t kLongestShown = 100;
  ApiError error;
  if (allow.empty()) {
    error.status = 404;
    error.code = "unknown_url";
    error.message =
        fmt::format("there is no {} {}", request.method.substr(0, 20), request.path.substr(0, kLongestShown));
    if (const std::string_view why = why_absent(request.path); !why.empty()) error.message += fmt::format(": {}", why);
    return call->respond(error);
  }
  error.status = 405;
  error.code = "method_not_allowed";
  error.message = fmt::format("{} does not take {}; it takes {}", request.path.substr(0, kLongestShown),
                              request.method.substr(0, 20), allow);
  http::Response response = error_response(error, error_style_of(request.path));
  response.headers.add("Allow", allow);
  call->exchange->respond(std::move(response));
}

void App::run_route(const RouteEntry& route, const std::shared_ptr<Call>& call) {
  if (draining_ && route.method == "POST") {
    ApiError error = server_error(503, "shutting_down", "the server is shutting down; try another one, or again later");
    error.retry_after_seconds = 5;
    return call->respond(error);
  }
  const Result<double> deadline = deadline_seconds(call->request());
  if (!deadline.ok()) return call->respond(bad_request("x-request-deadline", deadline.error().message));
  call->timeout_seconds = *deadline;
  if (call->request().body.size() > kLargeBodyBytes) return run_later(route, call);
  route.route(call);
}

void App::run_later(const RouteEntry& route, const std::shared_ptr<Call>& call) {
  const auto work = [&route, call] { or_500(call, [&] { route.route(call); }); };
  if (large_->post(work, call->request().body.size())) return;
  ApiError error = server_error(503, "overloaded", "too many large requests at once; try again soon");
  error.retry_after_seconds = 1;
  call->respond(error);
}

std::shared_ptr<ServedModel> App::model() const {
  std::lock_guard lock(mutex_);
  return model_;
}

void App::set_model(std::shared_ptr<ServedModel> model) {
  std::lock_guard lock(mutex_);
  model_.swap(model);  // the one before ends when the lock is free again: its answers tell the app that they end
}

void App::add_running(const std::string& id, TenantId tenant, std::weak_ptr<Generation> generation,
                      bool in_background) {
  std::lock_guard lock(mutex_);
  // An answer may have ended before it was added here: such entries go when there are many.
  constexpr size_t kFewest = 1024;
  if (running_.size() >= std::max(kFewest, 2 * num_running_after_sweep_)) {
    std::erase_if(running_, [](const auto& entry) { return entry.second.generation.expired(); });
    num_running_after_sweep_ = running_.size();
  }
  running_.emplace(id, Running{tenant, std::move(generation), in_background});
}

void App::remove_running(const AccessRecord& record) {
  std::lock_guard lock(mutex_);
  running_.erase(record.request_id);
  running_.erase(record.answer_id);
}

bool App::works_in_background() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(running_.begin(), running_.end(), [](const auto& entry) {
    return entry.second.in_background && !entry.second.generation.expired();
  });
}

size_t App::abort(const std::string& id, std::optional<TenantId> tenant) {
  std::vector<std::shared_ptr<Generation>> found;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [known, entry] : running_) {
      if (!id.empty() && known != id) continue;
      if (tenant && entry.tenant != *tenant) continue;
      if (auto running = entry.generation.lock()) found.push_back(std::move(running));
    }
  }
  for (const auto& generation : found) generation->cancel();
  return found.size();
}

}  // namespace gossamer::server
