#include "engine/session.h"

#include <algorithm>

#include "engine/event_queue.h"

namespace gossamer {

Result<Session> Session::start(LoadedModel& model, const EngineOptions& options) {
  GOS_TRY(std::unique_ptr<Engine> engine, Engine::start(model, options));
  return Session(std::move(engine));
}

Result<GenerateResult> Session::generate(const GenerateRequest& request, const std::function<bool(TokenId)>& on_token,
                                         const std::function<bool(uint32_t, uint32_t)>& on_prefill) {
  EventQueue events;
  EngineRequest wanted;
  wanted.prompt = request.prompt;
  wanted.sampling = request.sampling;
  wanted.max_tokens = request.max_tokens;
  wanted.stop_tokens = request.stop_tokens;
  wanted.constraint = request.constraint;
  GOS_TRY(const SequenceId id, engine_->submit(std::move(wanted), events.sink()));

  GenerateResult result;
  bool unwanted = false;  // nobody listens any more; the engine may still be a token ahead
  const auto go_on_if = [&](bool go_on) {
    if (go_on) return;
    unwanted = true;
    engine_->cancel(id);
  };
  while (true) {
    const EngineEvent event = events.next();
    switch (event.kind) {
      case EngineEvent::Kind::kPrefill:
        if (on_prefill && !unwanted) go_on_if(on_prefill(event.prompt_done, event.prompt_tokens));
        break;
      case EngineEvent::Kind::kToken:
        if (unwanted) break;
        result.tokens.push_back(event.token);
        if (on_token) go_on_if(on_token(event.token));
        break;
      case EngineEvent::Kind::kEnd: {
        if (event.finish == FinishReason::kError) return make_error(ErrorCode::kInvalidInput, "{}", event.error);
        const bool stopped = !result.tokens.empty() && std::find(request.stop_tokens.begin(), request.stop_tokens.end(),
                                                                 result.tokens.back()) != request.stop_tokens.end();
        result.finish = stopped ? FinishReason::kStop : unwanted ? FinishReason::kCancelled : event.finish;
        result.stats.prompt_tokens = event.prompt_tokens;
        result.stats.cached_tokens = event.cached_tokens;
        result.stats.generated_tokens = static_cast<uint32_t>(result.tokens.size());
        result.stats.ttft_seconds = event.times.first_token_seconds;
        result.stats.masked = event.masked;
        if (event.times.first_token_seconds > 0)
          result.stats.decode_seconds = event.times.end_seconds - event.times.first_token_seconds;
        return result;
      }
    }
  }
}

}  // namespace gossamer
