#include <algorithm>

#include "base/utf8.h"
#include "server/answer_limits.h"
#include "server/app.h"
#include "server/call.h"
#include "server/completion_answer.h"
#include "server/completion_request.h"
#include "server/constrain.h"
#include "server/request_fields.h"
#include "server/routes.h"

namespace gossamer::server {
namespace {

using CompletionPtr = std::shared_ptr<Completion>;

/// The first of the requests, which differ in their prompts only.
std::shared_ptr<CompletionRequest> first_of(const CompletionPtr& completion) {
  return {completion, &completion->requests.front()};
}

void begin_completion(const std::shared_ptr<Call>& call, ServedModel& model, Completion& completion) {
  const auto answer = std::make_shared<CompletionAnswer>(call, model, completion);
  call->record->answer_id = answer->id();
  for (size_t i = 0; i < completion.requests.size(); ++i) {
    CompletionRequest& request = completion.requests[i];
    request.constraint = completion.requests.front().constraint;
    call->complete(request.limits);
    Result<std::shared_ptr<Generation>> generation =
        start_generation(model, request, [answer, i](const AnswerEvent& event) { answer->take(i, event); });
    if (!generation.ok()) return answer->fail(refused(generation.error(), model, "prompt"));
    answer->accepted(std::move(*generation));
  }
}

void answer_completion(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  JsonReader reader(*body);
  const std::string model_name = reader.text("model").value_or("");
  if (!reader.ok()) return call->respond(*reader.problem());
  const std::shared_ptr<ServedModel> model = call->find_model(model_name);
  if (!model) return;
  const auto completion = std::make_shared<Completion>(read_completion(reader, *model));
  if (!reader.ok()) return call->respond(*reader.problem());
  constrain(call, model, first_of(completion),
            [call, model, completion] { begin_completion(call, *model, *completion); });
}

/// POST /generate of vLLM's first server: {"text": [prompt and answer]}.
class GenerateAnswer {
 public:
  GenerateAnswer(std::shared_ptr<Call> call, std::string prompt, uint32_t num_choices)
      : call_(std::move(call)), texts_(num_choices, prompt), tally_(num_choices) {}

  void take(const AnswerEvent& event) {
    texts_[event.choice] += event.text;
    if (event.kind != AnswerEvent::Kind::kEnd) return;
    tally_.add(event);
    if (!tally_.complete()) return;
    tally_.fill(*call_->record);
    json::object answer = {{"text", json::array(texts_.begin(), texts_.end())}, {"usage", tally_.usage_json()}};
    if (call_->app.options().timings) tally_.add_timings(answer);
    call_->respond(answer);
  }
  void keep(std::shared_ptr<Generation> generation) { generation_ = std::move(generation); }

 private:
  const std::shared_ptr<Call> call_;
  std::vector<std::string> texts_;
  AnswerTally tally_;
  std::shared_ptr<Generation> generation_;
};

void begin_generate(const std::shared_ptr<Call>& call, ServedModel& model, CompletionRequest& request) {
  call->complete(request.limits);
  const std::string prompt = utf8_lossy(model.tokenizer()->decode_bytes(request.prompt));
  const auto answer = std::make_shared<GenerateAnswer>(call, prompt, request.num_choices);
  Result<std::shared_ptr<Generation>> generation =
      start_generation(model, request, [answer](const AnswerEvent& event) { answer->take(event); });
  if (!generation.ok()) return call->respond(refused(generation.error(), model, "prompt"));
  call->follow(*generation, call->request_id);
  answer->keep(std::move(*generation));
}

void answer_generate(const std::shared_ptr<Call>& call) {
  const std::optional<json::object> body = call->read_body();
  if (!body) return;
  const std::shared_ptr<ServedModel> model = call->find_model("");
  if (!model) return;
  JsonReader reader(*body);
  const auto completion = std::make_shared<Completion>(read_completion(reader, *model));
  if (completion->stream) reader.fail("stream", "/generate does not stream; /v1/completions does");
  if (completion->requests.size() > 1) reader.fail("prompt", "/generate takes one prompt");
  if (!reader.ok()) return call->respond(*reader.problem());

  const std::shared_ptr<CompletionRequest> request = first_of(completion);
  constrain(call, model, request, [call, model, request] { begin_generate(call, *model, *request); });
}

}  // namespace

void add_completions_routes(App& app) {
  app.add_route("POST", "/v1/completions", answer_completion);
  app.add_route("POST", "/completions", answer_completion);
  app.add_route("POST", "/generate", answer_generate);
}

}  // namespace gossamer::server
