#include "server/generation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <mutex>
#include <utility>

#include "harmony/render.h"
#include "server/answer_reader.h"
#include "server/metrics.h"
#include "server/served_model.h"

namespace gossamer::server {
namespace {

using Clock = std::chrono::steady_clock;
using Finish = AnswerEvent::Finish;

/// The answers to one prompt. The engine's sinks keep it until the last choice has ended.
class Choices : public std::enable_shared_from_this<Choices> {
 public:
  Choices(ServedModel& model, EngineRequest request, std::vector<TokenId> extra_stops,
          std::vector<std::unique_ptr<AnswerReader>> readers, Generation::Sink sink)
      : model_(model),
        request_(std::move(request)),
        extra_stops_(std::move(extra_stops)),
        sink_(std::move(sink)),
        num_open_(static_cast<uint32_t>(readers.size())) {
    for (std::unique_ptr<AnswerReader>& reader : readers) choices_.emplace_back().reader = std::move(reader);
    usage_.prompt_tokens = static_cast<uint32_t>(request_.prompt.size());
  }

  /// Errors: as submit(). Only the first choice: the others begin with its first token, when the prompt is in the
  /// prefix cache.
  Status start() { return submit(0); }

  void cancel() {
    if (num_open_ == 0) return;
    std::vector<SequenceId> running;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      for (const Choice& choice : choices_)
        if (choice.id) running.push_back(*choice.id);
    }
    for (const SequenceId id : running) model_.source().cancel(id);
  }

  uint32_t prompt_tokens() const { return usage_.prompt_tokens; }
  void set_scores_only(bool scores_only) { scores_only_ = scores_only; }

 private:
  struct Choice {
    std::unique_ptr<AnswerReader> reader;
    std::optional<SequenceId> id;  // guarded by mutex_
    bool unwanted = false;         // guarded by mutex_: cancel as soon as the id is known
    // The engine's thread alone:
    uint32_t num_tokens = 0;
    Usage counted;  // by the metrics so far; the prompt is the first choice's
    Clock::time_point last_token;
    bool ended = false;
  };

  Status submit(uint32_t index) {
    EngineRequest request = request_;
    request.sampling.choice_index = index;
    GOS_TRY(const SequenceId id,
            model_.source().submit(std::move(request), [self = shared_from_this(), index](const EngineEvent& event) {
              self->take(index, event);
            }));
    bool unwanted;
    {
      std::lock_guard lock(mutex_);
      choices_[index].id = id;
      unwanted = cancelled_ || choices_[index].unwanted;
    }
    if (unwanted) model_.source().cancel(id);
    return {};
  }

  void submit_or_fail(uint32_t index) {
    const Status submitted = submit(index);
    if (submitted.ok()) return;
    EngineEvent failed;
    failed.finish = FinishReason::kError;
    failed.error = submitted.error().message;
    take(index, failed);
  }

  /// On the engine's thread.
  void take(uint32_t index, const EngineEvent& event) {
    Choice& choice = choices_[index];
    if (choice.ended) return;
    if (event.kind == EngineEvent::Kind::kPrefill && index == 0)
      prompt_logprobs_.insert(prompt_logprobs_.end(), event.prompt_logprobs.begin(), event.prompt_logprobs.end());
    count_times(index, event);
    if (event.kind == EngineEvent::Kind::kToken) take_token(index, choice, event);
    count_tokens(index, event);
    if (event.kind == EngineEvent::Kind::kEnd) take_end(index, choice, event);
    if (event.kind != EngineEvent::Kind::kPrefill && !std::exchange(others_began_, true))
      for (uint32_t i = 1; i < choices_.size(); ++i) submit_or_fail(i);
  }

  void take_token(uint32_t index, Choice& choice, const EngineEvent& event) {
    if (scores_only_ || !choice.reader->stop_matched().empty()) return;  // until the cancel arrives
    count_gap(choice);
    ++choice.num_tokens;
    if (std::find(extra_stops_.begin(), extra_stops_.end(), event.token) != extra_stops_.end()) return;
    std::optional<ScoredToken> scored;
    if (request_.top_logprobs) scored = scored_token(event.token, event.logprobs);
    choice.reader->feed(event.token, scored ? &*scored : nullptr, emit_of(index));
    if (!choice.reader->stop_matched().empty()) cancel_choice(choice);
  }

  void take_end(uint32_t index, Choice& choice, const EngineEvent& event) {
    choice.ended = true;
    const bool stopped = !choice.reader->stop_matched().empty();
    if (!stopped) choice.reader->finish(emit_of(index));
    AnswerEvent end;
    end.choice = index;
    end.finish = finish_of(event.finish, *choice.reader);
    end.stop_matched = choice.reader->stop_matched();
    end.error = event.error;
    end.ids = choice.reader->take_ids();
    end.usage = {usage_.prompt_tokens, event.cached_tokens, choice.num_tokens, choice.reader->reasoning_tokens()};
    end.times = event.times;
    if (index == 0) end.prompt = scored_prompt();
    count(index, end);
    const Generation::Sink sink = num_open_ == 1 ? std::exchange(sink_, {}) : sink_;
    --num_open_;
    sink(end);
  }

  static Finish finish_of(FinishReason reason, const AnswerReader& reader) {
    if (!reader.stop_matched().empty()) return Finish::kStop;
    switch (reason) {
      case FinishReason::kStop:
        return reader.has_calls() ? Finish::kToolCalls : Finish::kStop;
      case FinishReason::kLength:
        return Finish::kLength;
      case FinishReason::kCancelled:
        return Finish::kCancelled;
      case FinishReason::kDeadline:
        return Finish::kDeadline;
      case FinishReason::kError:
        return Finish::kError;
    }
    return Finish::kError;
  }

  AnswerReader::Emit emit_of(uint32_t index) {
    return [this, index](AnswerEvent event) {
      event.choice = index;
      event.usage.prompt_tokens = usage_.prompt_tokens;
      event.usage.completion_tokens = choices_[index].num_tokens;
      sink_(event);
    };
  }

  ScoredToken scored_token(TokenId token, const Logprobs& logprobs) const {
    const Tokenizer& tokenizer = *model_.tokenizer();
    ScoredToken scored{token, std::string(tokenizer.token_bytes(token)), logprobs.chosen, {}};
    for (const TokenLogprob& other : logprobs.top)
      scored.top.push_back({other.token, std::string(tokenizer.token_bytes(other.token)), other.logprob});
    return scored;
  }

  std::vector<ScoredToken> scored_prompt() const {
    if (!request_.prompt_logprobs) return {};
    std::vector<ScoredToken> tokens = {scored_token(request_.prompt[0], {std::numeric_limits<float>::quiet_NaN(), {}})};
    for (size_t i = 0; i < prompt_logprobs_.size() && i + 1 < request_.prompt.size(); ++i)
      tokens.push_back(scored_token(request_.prompt[i + 1], prompt_logprobs_[i]));
    return tokens;
  }

  void cancel_choice(Choice& choice) {
    std::optional<SequenceId> id;
    {
      std::lock_guard lock(mutex_);
      choice.unwanted = true;
      id = choice.id;
    }
    if (id) model_.source().cancel(*id);
  }

  void count_gap(Choice& choice) {
    if (!model_.metrics()) return;
    const Clock::time_point now = Clock::now();
    if (choice.num_tokens > 0)
      model_.metrics()->count_token_gap(std::chrono::duration<double>(now - choice.last_token).count());
    choice.last_token = now;
  }

  /// When the first choice began, and had its first token.
  void count_times(uint32_t index, const EngineEvent& event) {
    if (index > 0 || !model_.metrics()) return;
    if (!std::exchange(began_, true)) model_.metrics()->count_begin(event.times.queue_seconds);
    if (event.kind == EngineEvent::Kind::kToken && !std::exchange(has_token_, true))
      model_.metrics()->count_first_token(event.times);
  }

  /// Tokens that came since they were counted last: at the end it is all of the usage.
  void count_tokens(uint32_t index, const EngineEvent& event) {
    if (!model_.metrics()) return;
    Choice& choice = choices_[index];
    Usage now{choice.counted.prompt_tokens, choice.counted.cached_tokens, choice.num_tokens,
              choice.reader->reasoning_tokens()};
    if (index == 0) {
      const bool is_prefill = event.kind == EngineEvent::Kind::kPrefill;
      now.prompt_tokens = is_prefill ? std::max(now.prompt_tokens, event.prompt_done) : usage_.prompt_tokens;
      now.cached_tokens = std::max(now.cached_tokens, event.cached_tokens);
    }
    model_.metrics()->count_tokens({now.prompt_tokens - choice.counted.prompt_tokens,
                                    now.cached_tokens - choice.counted.cached_tokens,
                                    now.completion_tokens - choice.counted.completion_tokens,
                                    now.reasoning_tokens - choice.counted.reasoning_tokens});
    choice.counted = now;
  }

  void count(uint32_t index, const AnswerEvent& end) {
    if (index == 0) {
      usage_.cached_tokens = end.usage.cached_tokens;
      times_ = end.times;
      finish_ = end.finish;
    }
    longest_answer_ = std::max(longest_answer_, end.usage.completion_tokens);
    usage_.completion_tokens += end.usage.completion_tokens;
    usage_.reasoning_tokens += end.usage.reasoning_tokens;
    if (num_open_ == 1 && model_.metrics())
      model_.metrics()->count_answer(usage_, times_, finish_, static_cast<uint32_t>(choices_.size()), longest_answer_);
  }

  ServedModel& model_;
  const EngineRequest request_;
  const std::vector<TokenId> extra_stops_;  // end an answer, and are no part of it
  std::vector<Choice> choices_;
  Generation::Sink sink_;
  std::atomic<uint32_t> num_open_;
  bool others_began_ = false;
  bool began_ = false, has_token_ = false;  // the first choice, as the metrics know
  bool scores_only_ = false;
  std::vector<Logprobs> prompt_logprobs_;  // of each prompt token but the first
  Usage usage_;                            // of all choices
  uint32_t longest_answer_ = 0;
  RequestTimes times_;
  Finish finish_ = Finish::kStop;
  std::mutex mutex_;
  bool cancelled_ = false;
};

/// What the client's side holds: its end is theirs.
class Handle final : public Generation {
 public:
  explicit Handle(std::shared_ptr<Choices> choices) : choices_(std::move(choices)) {}
  ~Handle() override { choices_->cancel(); }
  void cancel() override { choices_->cancel(); }
  uint32_t prompt_tokens() const override { return choices_->prompt_tokens(); }

 private:
  std::shared_ptr<Choices> choices_;
};

EngineRequest engine_request(const ServedModel& model, std::vector<TokenId> prompt, const AnswerLimits& limits) {
  EngineRequest request;
  request.prompt = std::move(prompt);
  request.sampling = limits.sampling;
  request.max_tokens = limits.max_tokens;
  request.min_tokens = limits.min_tokens;
  if (!limits.ignore_eos) request.stop_tokens = model.stop_tokens();
  request.stop_tokens.insert(request.stop_tokens.end(), limits.stop_token_ids.begin(), limits.stop_token_ids.end());
  request.tenant = limits.tenant;
  request.priority = limits.priority;
  request.timeout_seconds = limits.timeout_seconds;
  request.top_logprobs = limits.top_logprobs;
  return request;
}

/// Tokens that end an answer and are no part of it.
std::vector<TokenId> hidden_stops(const AnswerLimits& limits) {
  return limits.shows_stop ? std::vector<TokenId>() : limits.stop_token_ids;
}

Result<std::shared_ptr<Generation>> start(ServedModel& model, EngineRequest request, std::vector<TokenId> extra_stops,
                                          std::vector<std::unique_ptr<AnswerReader>> readers, Generation::Sink sink,
                                          bool scores_only = false) {
  auto choices =
      std::make_shared<Choices>(model, std::move(request), std::move(extra_stops), std::move(readers), std::move(sink));
  choices->set_scores_only(scores_only);
  GOS_TRY_STATUS(choices->start());
  return std::shared_ptr<Generation>(std::make_shared<Handle>(std::move(choices)));
}

}  // namespace

Result<std::shared_ptr<Generation>> start_generation(ServedModel& model, const ChatRequest& request,
                                                     Generation::Sink sink) {
  // What is finished was dropped when the conversation was made (chat_prompt.h).
  harmony::RenderOptions options;
  options.auto_drop_analysis = false;
  GOS_TRY(std::vector<TokenId> prompt,
          harmony::render_for_completion(*model.tokenizer(), request.conversation, harmony::Role::kAssistant, options));
  prompt.insert(prompt.end(), request.continuation.begin(), request.continuation.end());
  std::vector<std::unique_ptr<AnswerReader>> readers;
  for (uint32_t i = 0; i < request.num_choices; ++i) {
    GOS_TRY(std::unique_ptr<AnswerReader> reader, ChatReader::create(model.tokenizer(), request));
    readers.push_back(std::move(reader));
  }
  EngineRequest engine = engine_request(model, std::move(prompt), request.limits);
  engine.constraint = request.constraint;
  return start(model, std::move(engine), hidden_stops(request.limits), std::move(readers), std::move(sink));
}

Result<std::shared_ptr<Generation>> start_generation(ServedModel& model, const CompletionRequest& request,
                                                     Generation::Sink sink) {
  std::vector<std::unique_ptr<AnswerReader>> readers;
  for (uint32_t i = 0; i < request.num_choices; ++i)
    readers.push_back(std::make_unique<PlainReader>(model.tokenizer(), request));
  EngineRequest engine = engine_request(model, request.prompt, request.limits);
  engine.prompt_logprobs = engine.computes_whole_prompt = request.prompt_logprobs;
  engine.constraint = request.constraint;
  return start(model, std::move(engine), hidden_stops(request.limits), std::move(readers), std::move(sink),
               request.scores_only);
}

}  // namespace gossamer::server
