#pragma once

#include <memory>
#include <vector>

#include "cli/answer_stream.h"
#include "cli/constraint_options.h"
#include "cli/engine_flags.h"
#include "cli/model_options.h"
#include "engine/session.h"
#include "harmony/conversation.h"

namespace gossamer::cli {

/// A loaded model that talks harmony: conversations in, answers out. Keeps the session between answers.
class Assistant {
 public:
  struct Request {
    const harmony::Conversation& conversation;
    SamplingParams sampling;
    uint32_t max_tokens = 0;
    const ConstraintOptions& constraints;
  };

  /// Errors: as loading; the tokenizer lacks harmony's frame tokens.
  static Result<Assistant> load(const ModelOptions& options, const EngineFlags& engine);

  /// Answers; `listener` gets the text as it comes; `go_on` is asked after every token and every chunk of the prompt.
  /// While the prompt is computed a terminal shows how far it is.
  Result<Answer> answer(const Request& request, AnswerStream::Listener listener, const std::function<bool()>& go_on);

  const LoadedModel& model() const { return *loaded_; }
  double load_seconds() const { return load_seconds_; }
  /// "KV cache: 0.07 GB of bf16, room for ...".
  std::string capacity() { return session_.engine().capacity(); }

 private:
  Assistant(std::unique_ptr<LoadedModel> loaded, std::shared_ptr<const harmony::FrameVocabulary> frames,
            Session session, double load_seconds);

  std::unique_ptr<LoadedModel> loaded_;
  std::shared_ptr<const harmony::FrameVocabulary> frames_;
  std::unique_ptr<grammar::GrammarEngine> grammars_;
  Session session_;  // refers to *loaded_
  double load_seconds_;
};

}  // namespace gossamer::cli
