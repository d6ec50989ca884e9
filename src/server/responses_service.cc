#include "server/responses_service.h"

#include <utility>

#include "server/shown_text.h"

namespace gossamer::server {

void ResponsesService::add_running(std::shared_ptr<ResponsesRun> run) {
  const std::lock_guard lock(mutex_);
  running_.emplace(run->id(), std::move(run));
}

void ResponsesService::remove_running(const std::string& id) {
  const std::lock_guard lock(mutex_);
  running_.erase(id);
}

std::shared_ptr<ResponsesRun> ResponsesService::find_running(const std::string& id, TenantId tenant) const {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  return found != running_.end() && found->second->tenant() == tenant ? found->second : nullptr;
}

namespace {

/// Belongs to the routes alone: the store has called back for the last time before the app goes.
struct ClosesStore {
  std::shared_ptr<ResponsesStore> store;
  ~ClosesStore() {
    if (store) store->close();
  }
};

}  // namespace

Status add_responses_routes(App& app, ResponsesStoreOptions options) {
  GOS_TRY(std::shared_ptr<ResponsesStore> store, ResponsesStore::open(std::move(options)));
  const auto closes = std::make_shared<ClosesStore>();
  closes->store = store;
  const auto service = std::make_shared<ResponsesService>(std::move(store));
  // Base URLs without /v1 are common.
  for (const std::string base : {"/v1/responses", "/responses"}) {
    app.add_route("POST", base,
                  [service, closes](const std::shared_ptr<Call>& call) { create_response(call, service); });
    app.add_route("POST", base + "/input_tokens",
                  [service](const std::shared_ptr<Call>& call) { count_response_input(call, service); });
  }
  add_stored_responses_routes(app, service);
  return {};
}

void begin_responses_stream(http::Exchange& exchange, const std::string& warning) {
  http::Headers headers{
      {"Content-Type", "text/event-stream; charset=utf-8"}, {"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  if (!warning.empty()) headers.add("x-gossamer-warning", warning);
  http::StreamOptions options;
  options.idle_bytes = ": keep-alive\n\n";
  exchange.begin_stream(200, std::move(headers), options);
}

ApiError no_such_response(const std::string& id, std::string param) {
  ApiError error;
  error.status = 404;
  error.message = fmt::format("there is no response \"{}\": it was not stored, is too old, or was deleted", shown(id));
  if (!param.empty()) error.param = std::move(param);
  if (error.param == "previous_response_id") error.code = "previous_response_not_found";
  return error;
}

}  // namespace gossamer::server
