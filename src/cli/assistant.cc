#include "cli/assistant.h"

#include <chrono>

#include "cli/progress_line.h"
#include "harmony/frame_tokens.h"
#include "harmony/render.h"

namespace gossamer::cli {

Assistant::Assistant(std::unique_ptr<LoadedModel> loaded, std::shared_ptr<const harmony::FrameVocabulary> frames,
                     Session session, double load_seconds)
    : loaded_(std::move(loaded)),
      frames_(std::move(frames)),
      grammars_(std::make_unique<grammar::GrammarEngine>(loaded_->tokenizer)),
      session_(std::move(session)),
      load_seconds_(load_seconds) {}

Result<Assistant> Assistant::load(const ModelOptions& options, const EngineFlags& engine) {
  GOS_TRY(const EngineOptions engine_options, engine.resolve(options.chosen_precision()));
  const auto started = std::chrono::steady_clock::now();
  GOS_TRY(std::unique_ptr<LoadedModel> loaded, options.load(/*need_tokenizer=*/true));
  GOS_TRY([[maybe_unused]] auto frame, harmony::FrameTokens::from(*loaded->tokenizer));
  GOS_TRY(auto frames, harmony::FrameVocabulary::create(loaded->tokenizer));
  GOS_TRY(Session session, Session::start(*loaded, engine_options));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  return Assistant(std::move(loaded), std::move(frames), std::move(session), elapsed.count());
}

Result<Answer> Assistant::answer(const Request& request, AnswerStream::Listener listener,
                                 const std::function<bool()>& go_on) {
  GOS_TRY(AnswerStream stream, AnswerStream::create(loaded_->tokenizer, std::move(listener)));
  GenerateRequest generate{.prompt = {},
                           .sampling = request.sampling,
                           .max_tokens = request.max_tokens,
                           .stop_tokens = loaded_->stop_tokens(),
                           .constraint = nullptr};
  GOS_TRY(generate.prompt,
          harmony::render_for_completion(*loaded_->tokenizer, request.conversation, harmony::Role::kAssistant, {}));
  GOS_TRY(generate.constraint, request.constraints.make(frames_, *grammars_, request.conversation));

  ProgressLine progress;
  auto on_token = [&](TokenId token) {
    progress.clear();
    stream.feed(token);
    return go_on();
  };
  auto on_prefill = [&](uint32_t done, uint32_t all) {
    progress.update("reading the prompt", done, all);
    return go_on();
  };
  GOS_TRY(const GenerateResult result, session_.generate(generate, on_token, on_prefill));

  const std::vector<harmony::Message>& messages = stream.finish();
  return Answer{messages, harmony::extract_answer(messages), result.finish, result.stats};
}

}  // namespace gossamer::cli
