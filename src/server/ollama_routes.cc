#include "server/ollama_routes.h"

#include <string>
#include <utility>

#include "server/call.h"
#include "server/ollama_answer.h"
#include "server/ollama_models.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

ApiError not_found(std::string_view wanted, const ModelNames& names, std::string_view hint) {
  ApiError error;
  error.status = 404;
  error.message =
      fmt::format("model \"{}\" not found: what is loaded is called {}{}", shown(wanted), ollama_name(names), hint);
  return error;
}

/// The model that "model" (or, as older clients have it, "name") means; null: there is none, and it has been said.
std::shared_ptr<ServedModel> find_model(const Call& call, const json::object& body, std::string& wanted,
                                        std::string_view hint = "") {
  JsonReader reader(body);
  wanted = reader.text("model").value_or(reader.text("name").value_or(""));
  if (reader.ok() && wanted.empty()) reader.fail("model", "the request names no \"model\"");
  if (!reader.ok()) {
    call.respond(*reader.problem());
    return nullptr;
  }
  const std::shared_ptr<ServedModel> model = call.app.model();
  if (!model || model->names().matches(wanted)) return call.find_model(wanted);
  call.respond(not_found(wanted, model->names(), hint));
  return nullptr;
}

void answer(const std::shared_ptr<Call>& call, bool is_chat) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  std::string wanted;
  const std::shared_ptr<ServedModel> model = find_model(*call, *body, wanted);
  if (!model) return;
  JsonReader reader(*body);
  OllamaRequest request = is_chat ? read_ollama_chat(reader, *model) : read_ollama_generate(reader, *model);
  ChatRequest chat;
  if (reader.ok() && !request.only_loads) chat = ollama_chat_request(request, *model, reader);
  if (!reader.ok()) return call->respond(*reader.problem());
  call->complete(chat.limits);

  OllamaWriter writer({is_chat, std::move(wanted), request.stream, request.shows_thinking});
  if (request.only_loads) return call->respond(writer.loaded(request.unloads ? "unload" : "load"));
  answer_ollama(call, model, std::move(chat), request, std::move(writer));
}

void show(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  std::string wanted;
  if (const std::shared_ptr<ServedModel> model = find_model(*call, *body, wanted)) call->respond(ollama_show(*model));
}

/// Success where the model is the one that is loaded: agents pull before they ask.
void pull(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  std::string wanted;
  if (!find_model(*call, *body, wanted, ", and this server downloads nothing")) return;
  JsonReader reader(*body);
  const bool streams = reader.boolean("stream").value_or(true);
  if (!reader.ok()) return call->respond(*reader.problem());
  if (!streams) return call->respond(json::object{{"status", "success"}});
  http::Response response;
  response.headers.add("Content-Type", "application/x-ndjson");
  response.body = "{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n";
  call->exchange->respond(std::move(response));
}

/// Of the model that is loaded; 503 until one is.
void describe(const std::shared_ptr<Call>& call, json::object (*description)(const ServedModel&)) {
  if (const std::shared_ptr<ServedModel> model = call->find_model("")) call->respond(description(*model));
}

void running(const std::shared_ptr<Call>& call) {
  http::Response response;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = "Ollama is running";
  call->exchange->respond(std::move(response));
}

void embed(const std::shared_ptr<Call>& call) {
  call->respond(bad_request("", "this model does not support embeddings"));
}

}  // namespace

void add_ollama_routes(App& app) {
  using CallPtr = std::shared_ptr<Call>;
  app.add_route("GET", "/", running);
  app.add_route("POST", "/api/chat", [](const CallPtr& call) { answer(call, true); });
  app.add_route("POST", "/api/generate", [](const CallPtr& call) { answer(call, false); });
  app.add_route("GET", "/api/tags", [](const CallPtr& call) { describe(call, ollama_tags); });
  app.add_route("GET", "/api/ps", [](const CallPtr& call) { describe(call, ollama_ps); });
  app.add_route("POST", "/api/show", show);
  app.add_route("POST", "/api/pull", pull);
  app.add_route("POST", "/api/embed", embed);
  app.add_route("POST", "/api/embeddings", embed);
  app.add_route("GET", "/api/version",
                [](const CallPtr& call) { call->respond(json::object{{"version", kOllamaVersion}}); });
}

}  // namespace gossamer::server
