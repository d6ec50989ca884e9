#include <chrono>

#include "server/app.h"
#include "server/call.h"
#include "server/chat_answer.h"
#include "server/chat_request.h"
#include "server/constrain.h"
#include "server/ids.h"
#include "server/legacy_functions.h"
#include "server/routes.h"
#include "server/server_tools.h"

namespace gossamer::server {
namespace {

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void begin_chat(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
                const ChatCompletion& completion) {
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

void answer_chat(const std::shared_ptr<Call>& call) {
  std::optional<json::object> body = call->read_body();
  if (!body) return;
  const bool answers_function_call = modernize_functions(*body);
  JsonReader reader(*body);
  const std::string model_name = reader.text("model").value_or("");
  if (!reader.ok()) return call->respond(*reader.problem());
  const std::shared_ptr<ServedModel> model = call->find_model(model_name);
  if (!model) return;
  const auto offer = [&](ChatPrompt& prompt, ChatRequest& request) {
    add_server_tools(*call, reader, prompt, request);
  };
  const auto completion = std::make_shared<ChatCompletion>(read_chat_completion(reader, *model, offer));
  if (!reader.boolean("add_generation_prompt").value_or(true))  // which /render takes
    reader.fail(
        "add_generation_prompt",
        "\"add_generation_prompt\": false is not supported: an answer is a message of its own; /v1/completions goes "
        "on from any text");
  if (!reader.ok()) return call->respond(*reader.problem());
  completion->answers_function_call = answers_function_call;
  call->complete(completion->request.limits);
  constrain(call, model, std::shared_ptr<ChatRequest>(completion, &completion->request),
            [call, model, completion] { begin_chat(call, model, *completion); });
}

}  // namespace

void add_chat_completions_route(App& app) {
  app.add_route("POST", "/v1/chat/completions", answer_chat);
  app.add_route("POST", "/chat/completions", answer_chat);  // base URLs without /v1 are common
}

}  // namespace gossamer::server
