#include "server/ollama_answer.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "server/answer_tally.h"
#include "server/constrain.h"

namespace gossamer::server {
namespace {

/// One answer on its way to its client.
class OllamaAnswer {
 public:
  OllamaAnswer(std::shared_ptr<Call> call, const OllamaRequest& request, OllamaWriter writer)
      : call_(std::move(call)),
        stream_(request.stream),
        ignores_context_(request.ignores_context),
        writer_(std::move(writer)) {}

  /// The engine has it: what can be refused has been.
  void accepted(std::shared_ptr<Generation> generation) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    generation_ = std::move(generation);
    begin_once();
  }

  /// Called on the engine's thread, perhaps before accepted().
  void on_event(const AnswerEvent& event) {
    if (event.kind == AnswerEvent::Kind::kEnd) return end(event);
    const std::lock_guard lock(mutex_);
    begin_once();
    std::string line = writer_.add(event);
    if (!line.empty()) call_->exchange->write(std::move(line));
  }

 private:
  void begin_once() {
    if (!stream_ || begun_) return;
    begun_ = true;
    http::Headers headers = headers_of("application/x-ndjson");
    headers.add("Cache-Control", "no-cache");
    headers.add("X-Accel-Buffering", "no");
    http::StreamOptions options;
    options.idle_bytes = " ";  // before a line of JSON it means nothing; an empty line would be an error to clients
    call_->exchange->begin_stream(200, std::move(headers), options);
  }

  http::Headers headers_of(const char* content_type) const {
    http::Headers headers{{"Content-Type", content_type}};
    if (ignores_context_) headers.add("x-gossamer-warning", "ignored context");
    return headers;
  }

  void end(const AnswerEvent& event) {
    AnswerTally tally(1);
    tally.add(event);
    tally.fill(*call_->record);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun_at_;
    const double load_seconds = std::max(passed.count() - event.times.end_seconds, 0.0);

    const std::lock_guard lock(mutex_);
    begin_once();
    ended_ = true;
    std::optional<ApiError> error;
    std::string line = writer_.end(event, load_seconds, error);
    if (stream_) {
      call_->exchange->write(std::move(line));
      return call_->exchange->end();
    }
    if (error) return call_->respond(*error);
    line.pop_back();
    http::Response response;
    response.headers = headers_of("application/json");
    response.body = std::move(line);
    call_->exchange->respond(std::move(response));
  }

  const std::shared_ptr<Call> call_;
  const bool stream_, ignores_context_;
  const std::chrono::steady_clock::time_point begun_at_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  OllamaWriter writer_;
  std::shared_ptr<Generation> generation_;  // lives as long as this, which its sink owns until the end
  bool begun_ = false, ended_ = false;
};

}  // namespace

ChatRequest ollama_chat_request(const OllamaRequest& request, const ServedModel& model, JsonReader& reader) {
  ChatRequest chat;
  for (const harmony::ToolDescription& function : request.prompt.functions) chat.functions.push_back(function.name);
  chat.arguments = request.arguments;
  chat.format = request.prompt.format;
  chat.limits = request.limits;
  chat.conversation = make_conversation(request.prompt, model.today(), reader);
  return chat;
}

void answer_ollama(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model, ChatRequest chat,
                   const OllamaRequest& request, OllamaWriter writer) {
  const auto answer = std::make_shared<OllamaAnswer>(call, request, std::move(writer));
  const auto asked = std::make_shared<ChatRequest>(std::move(chat));
  constrain(call, model, asked, [call, model, asked, answer] {
    Result<std::shared_ptr<Generation>> generation =
        start_generation(*model, *asked, [answer](const AnswerEvent& event) { answer->on_event(event); });
    if (!generation.ok()) return call->respond(refused(generation.error(), *model, "messages"));
    call->follow(*generation, call->request_id);
    answer->accepted(std::move(*generation));
  });
}

}  // namespace gossamer::server
