#include "server/app.h"
#include "server/call.h"
#include "server/json_reader.h"
#include "server/routes.h"

namespace gossamer::server {
namespace {

/// {"request_id": "req_..." or the id of an answer}, or {"abort_all": true}: ends answers of the caller that are
/// being made.
void abort_answers(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body(/*may_be_empty=*/true);
  if (!body) return;
  JsonReader reader(*body);
  std::optional<std::string> id = reader.text("request_id");
  for (const char* key : {"rid", "id"})  // as other servers call it
    if (!id) id = reader.text(key);
  const bool all = reader.boolean("abort_all").value_or(false);
  if (!all && id.value_or("").empty())
    reader.fail("request_id",
                "\"request_id\" is missing: the x-request-id or the id of an answer; or send \"abort_all\": true");
  if (!reader.ok()) return call->respond(*reader.problem());
  const size_t aborted = call->app.abort(all ? std::string() : *id, call->tenant);
  if (aborted > 0 || all) return call->respond(json::object{{"aborted", aborted}});
  ApiError error = bad_request("request_id", "no answer of that id is being made");
  error.status = 404;
  call->respond(error);
}

void reset_prefix_cache(const std::shared_ptr<Call>& call) {
  const std::shared_ptr<ServedModel> model = call->find_model("");
  if (!model) return;
  model->source().reset_prefix_cache();
  call->respond(json::object{{"status", "ok"}});
}

}  // namespace

void add_control_routes(App& app) {
  app.add_route("POST", "/abort", abort_answers);
  app.add_route("POST", "/abort_request", abort_answers);
  app.add_route("POST", "/reset_prefix_cache", reset_prefix_cache);
  for (const char* method : {"GET", "POST"}) app.add_route(method, "/flush_cache", reset_prefix_cache);  // as SGLang
}

}  // namespace gossamer::server
