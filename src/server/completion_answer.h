#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/answer_tally.h"
#include "server/call.h"
#include "server/completion_request.h"

namespace gossamer::server {

/// An answer to /v1/completions: all choices of all prompts, whole or as server-sent events.
class CompletionAnswer {
 public:
  CompletionAnswer(std::shared_ptr<Call> call, const ServedModel& model, const Completion& body);

  const std::string& id() const { return id_; }

  /// An event of the answer to prompt number `prompt_idx`; on the engine's thread.
  void take(size_t prompt_idx, const AnswerEvent& event);
  /// Prompts are accepted one by one: keeps what answers them.
  void accepted(std::shared_ptr<Generation> generation);
  /// A prompt was refused: the answer is an error, and what runs ends.
  void fail(const ApiError& error);

 private:
  struct Choice {
    std::string text;
    std::vector<ScoredToken> tokens;
    std::vector<TokenId> ids;
    std::string_view finish;
    std::string stop_matched;
    bool is_echoed = false;
  };

  void begin_stream();
  std::string prompt_text(size_t index) const;
  std::string echo_once(size_t index, const AnswerEvent& event);
  std::string chunk(size_t index, const AnswerEvent& event);
  void take_end(size_t prompt_idx, size_t index, const AnswerEvent& event);
  void respond_whole();
  json::object choice_json(size_t index) const;
  json::object head_json() const;
  json::object usage_json() const;
  void complete();

  const std::shared_ptr<Call> call_;
  const std::string id_, model_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  const int64_t created_;
  const bool stream_;
  const StreamOptions stream_options_;
  const bool echo_, with_logprobs_, with_ids_;
  const uint32_t num_choices_;
  std::vector<std::vector<TokenId>> prompts_;

  std::mutex mutex_;  // what follows
  std::vector<Choice> choices_;
  std::vector<std::vector<ScoredToken>> scored_prompts_;
  std::vector<AnswerTally> tallies_;  // of each prompt
  std::vector<std::shared_ptr<Generation>> generations_;
  size_t num_open_;
  bool begun_ = false, failed_ = false;
};

}  // namespace gossamer::server
