#include <chrono>

#include "server/chat_answer.h"
#include "server/chat_request.h"
#include "server/ids.h"
#include "server/routes.h"
#include "server/server_tools.h"

namespace gossamer::server {
namespace {

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void answer_chat(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  JsonReader reader(*body);
  const std::string model_name = reader.text("model").value_or("");
  if (!reader.ok()) return call->respond(*reader.problem());
  const std::shared_ptr<ServedModel> model = call->find_model(model_name);
  if (!model) return;
  ChatCompletion completion = read_chat_completion(reader, *model, [&](ChatPrompt& prompt, ChatRequest& request) {
    add_server_tools(*call, reader, prompt, request);
  });
  if (!reader.ok()) return call->respond(*reader.problem());

  call->complete(completion.request.limits);
  const ChatAnswerHead head{make_id("chatcmpl-"), unix_seconds(), model->name(), call->app.options().timings};
  call->record->answer_id = head.id;
  const std::shared_ptr<ChatAnswer> answer = completion.stream ? make_streamed_chat_answer(call, head, completion)
                                                               : make_whole_chat_answer(call, head, completion);
  Result<std::shared_ptr<Generation>> generation =
      start_chat(*call, model, completion.request, [answer](const AnswerEvent& event) { answer->take(event); });
  if (!generation.ok()) return call->respond(refused(generation.error(), *model, "messages"));
  call->follow(*generation, head.id);
  answer->accepted(std::move(*generation));
}

}  // namespace

void add_chat_completions_route(App& app) {
  app.add_route("POST", "/v1/chat/completions", answer_chat);
  app.add_route("POST", "/chat/completions", answer_chat);  // base URLs without /v1 are common
}

}  // namespace gossamer::server
