#include "server/app.h"
#include "server/call.h"
#include "server/metrics.h"
#include "server/routes.h"
#include "server/version.h"

namespace gossamer::server {
namespace {

http::Response uncached(http::Response response) {
  response.headers.add("Cache-Control", "no-store");
  return response;
}

/// Ready to take work: 200; loading or shutting down: 503.
void tell_ready(const std::shared_ptr<Call>& call) {
  const App& app = call->app;
  const auto tell_not_ready = [&](const json::object& status, const char* retry_after_seconds) {
    http::Response response = uncached(json_response(status, 503));
    response.headers.add("Retry-After", retry_after_seconds);
    call->exchange->respond(std::move(response));
  };
  if (app.draining()) return tell_not_ready({{"status", "draining"}}, "5");
  const std::shared_ptr<ServedModel> model = app.model();
  if (!model) return tell_not_ready({{"status", "loading"}, {"percent", app.loading_percent()}}, "2");
  call->exchange->respond(uncached(json_response(json::object{{"status", "ok"}, {"model", model->name()}})));
}

/// The process answers.
void tell_alive(const std::shared_ptr<Call>& call) {
  call->exchange->respond(uncached(json_response(json::object{{"status", "ok"}})));
}

void tell_version(const std::shared_ptr<Call>& call) {
  call->respond(json::object{{"version", kVersion}, {"server", "gossamer"}});
}

void tell_metrics(const std::shared_ptr<Call>& call) {
  http::Response response;
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = call->app.metrics().exposition(call->app.model().get());
  call->exchange->respond(std::move(response));
}

}  // namespace

void add_health_routes(App& app) {
  app.add_route("GET", "/health", tell_ready);
  app.add_route("GET", "/readyz", tell_ready);
  app.add_route("GET", "/livez", tell_alive);
  app.add_route("GET", "/ping", tell_ready);
  app.add_route("GET", "/version", tell_version);
  app.add_route("GET", "/metrics", tell_metrics);
}

}  // namespace gossamer::server
