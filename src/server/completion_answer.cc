#include "server/completion_answer.h"

#include <chrono>
#include <cmath>

#include "base/utf8.h"
#include "harmony/json_text.h"
#include "server/app.h"
#include "server/chat_answer.h"
#include "server/ids.h"
#include "server/json_string.h"
#include "server/sse.h"
#include "server/version.h"

namespace gossamer::server {
namespace {

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A token as a key: one that is no character by itself is spelt out, as OpenAI does, so that two stay two.
std::string token_text(std::string_view bytes) {
  if (utf8_valid(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

json::value logprob_json(float logprob) {
  if (std::isnan(logprob)) return nullptr;
  return std::max(logprob, -9999.f);  // JSON has no infinity
}

/// "logprobs" of /v1/completions: lists beside one another. `offset`: characters before the first token.
json::object completion_logprobs(const std::vector<ScoredToken>& tokens, size_t offset) {
  json::array texts, logprobs, tops, offsets;
  for (const ScoredToken& token : tokens) {
    const std::string text = token_text(token.bytes);
    texts.emplace_back(text);
    logprobs.push_back(logprob_json(token.logprob));
    offsets.push_back(offset);
    offset += token.bytes.size();
    if (std::isnan(token.logprob)) {
      tops.emplace_back(nullptr);
      continue;
    }
    json::object top;
    for (const ScoredToken::Other& other : token.top) top[token_text(other.bytes)] = logprob_json(other.logprob);
    top.insert({{text, logprob_json(token.logprob)}});  // the chosen one too, where it is none of the likeliest
    tops.push_back(std::move(top));
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace

CompletionAnswer::CompletionAnswer(std::shared_ptr<Call> call, const ServedModel& model, const Completion& body)
    : call_(std::move(call)),
      id_(make_id("cmpl-")),
      model_(model.name()),
      tokenizer_(model.tokenizer()),
      created_(unix_seconds()),
      stream_(body.stream),
      stream_options_(body.stream_options),
      echo_(body.echo),
      with_logprobs_(body.requests.front().limits.top_logprobs.has_value()),
      with_ids_(body.return_token_ids),
      num_choices_(body.num_choices),
      choices_(body.requests.size() * body.num_choices),
      scored_prompts_(body.requests.size()),
      tallies_(body.requests.size(), AnswerTally(body.num_choices)),
      num_open_(choices_.size()) {
  if (echo_ || with_ids_)
    for (const CompletionRequest& request : body.requests) prompts_.push_back(request.prompt);
}

void CompletionAnswer::accepted(std::shared_ptr<Generation> generation) {
  call_->follow(generation, id_);
  std::lock_guard lock(mutex_);
  generations_.push_back(std::move(generation));
  if (stream_ && !failed_) begin_stream();
}

void CompletionAnswer::begin_stream() {
  if (!std::exchange(begun_, true)) begin_sse(*call_->exchange);
}

void CompletionAnswer::fail(const ApiError& error) {
  std::vector<std::shared_ptr<Generation>> running;
  {
    std::lock_guard lock(mutex_);
    failed_ = true;
    running.swap(generations_);
    if (begun_) {
      call_->exchange->write(sse_data(harmony::compact_json(openai_error_body(error))) + "data: [DONE]\n\n");
      call_->exchange->end();
    } else {
      call_->respond(error);
    }
  }
  for (const auto& generation : running) generation->cancel();
}

void CompletionAnswer::take(size_t prompt_idx, const AnswerEvent& event) {
  std::lock_guard lock(mutex_);
  if (failed_) return;
  const size_t index = prompt_idx * num_choices_ + event.choice;
  Choice& choice = choices_[index];
  if (with_ids_) choice.ids.insert(choice.ids.end(), event.ids.begin(), event.ids.end());
  if (event.kind == AnswerEvent::Kind::kEnd) return take_end(prompt_idx, index, event);
  if (stream_) {
    begin_stream();
    call_->exchange->write(echo_once(index, event) + chunk(index, event));
    return;
  }
  choice.text += event.text;
  choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
}

void CompletionAnswer::take_end(size_t prompt_idx, size_t index, const AnswerEvent& event) {
  tallies_[prompt_idx].add(event);
  choices_[index].finish = openai_finish(event.finish);
  choices_[index].stop_matched = event.stop_matched;
  if (!event.prompt.empty()) scored_prompts_[prompt_idx] = event.prompt;
  --num_open_;
  if (stream_) {
    begin_stream();
    const bool failed = event.finish == AnswerEvent::Finish::kError;
    call_->exchange->write(failed ? sse_data(harmony::compact_json(openai_error_body(answer_failed(event.error))))
                                  : echo_once(index, event) + chunk(index, event));
  }
  if (num_open_ == 0) complete();
}

json::object CompletionAnswer::head_json() const {
  return {{"id", id_},
          {"object", "text_completion"},
          {"created", created_},
          {"model", model_},
          {"system_fingerprint", kSystemFingerprint}};
}

std::string CompletionAnswer::chunk(size_t index, const AnswerEvent& event) {
  json::object choice = {{"index", index}, {"text", event.text}};
  choice["logprobs"] = nullptr;
  if (with_logprobs_ && !event.tokens.empty())
    choice["logprobs"] = completion_logprobs(event.tokens, choices_[index].text.size());
  choices_[index].text += event.text;  // for the offsets
  choice["finish_reason"] = nullptr;
  if (event.kind == AnswerEvent::Kind::kEnd) {
    choice["finish_reason"] = choices_[index].finish;
    choice["stop_reason"] = event.stop_matched.empty() ? json::value(nullptr) : json::value(event.stop_matched);
  }
  if (with_ids_) {
    const std::vector<TokenId> ids = std::exchange(choices_[index].ids, {});
    choice["token_ids"] = json::array(ids.begin(), ids.end());
  }
  json::object answer = head_json();
  answer["choices"] = json::array{std::move(choice)};
  if (stream_options_.continuous_usage)
    answer["usage"] = usage_so_far_to_json(event.usage);
  else if (stream_options_.include_usage)
    answer["usage"] = nullptr;
  return sse_data(harmony::compact_json(answer));
}

std::string CompletionAnswer::prompt_text(size_t index) const {
  return utf8_lossy(tokenizer_->decode_bytes(prompts_[index / num_choices_]));
}

/// The prompt, before the first thing that a choice says.
std::string CompletionAnswer::echo_once(size_t index, const AnswerEvent& event) {
  if (!echo_ || std::exchange(choices_[index].is_echoed, true)) return {};
  AnswerEvent prompt;
  prompt.kind = AnswerEvent::Kind::kText;
  prompt.text = prompt_text(index);
  prompt.usage.prompt_tokens = event.usage.prompt_tokens;
  return chunk(index, prompt);
}

json::object CompletionAnswer::choice_json(size_t index) const {
  const size_t prompt_idx = index / num_choices_;
  const Choice& choice = choices_[index];
  const std::string echoed = echo_ ? prompt_text(index) : std::string();
  json::object object = {{"index", index}, {"text", echoed + choice.text}};
  object["logprobs"] = nullptr;
  if (with_logprobs_) {
    std::vector<ScoredToken> tokens = scored_prompts_[prompt_idx];
    const size_t offset = tokens.empty() ? echoed.size() : 0;
    tokens.insert(tokens.end(), choice.tokens.begin(), choice.tokens.end());
    object["logprobs"] = completion_logprobs(tokens, offset);
  }
  object["finish_reason"] = choice.finish;
  object["stop_reason"] = choice.stop_matched.empty() ? json::value(nullptr) : json::value(choice.stop_matched);
  if (with_ids_) {
    object["token_ids"] = json::array(choice.ids.begin(), choice.ids.end());
    object["prompt_token_ids"] = json::array(prompts_[prompt_idx].begin(), prompts_[prompt_idx].end());
  }
  return object;
}

json::object CompletionAnswer::usage_json() const {
  Usage sum;
  for (const AnswerTally& tally : tallies_) {
    sum.prompt_tokens += tally.usage().prompt_tokens;
    sum.cached_tokens += tally.usage().cached_tokens;
    sum.completion_tokens += tally.usage().completion_tokens;
  }
  return usage_to_json(sum);
}

void CompletionAnswer::respond_whole() {
  json::object answer = head_json();
  json::array choices;
  for (size_t i = 0; i < choices_.size(); ++i) choices.push_back(choice_json(i));
  answer["choices"] = std::move(choices);
  answer["usage"] = usage_json();
  if (call_->app.options().timings) tallies_.front().add_timings(answer);
  call_->respond(answer);
}

/// All choices have ended.
void CompletionAnswer::complete() {
  tallies_.front().fill(*call_->record);
  if (!stream_) {
    for (const AnswerTally& tally : tallies_)
      if (!tally.error().empty()) return call_->respond(answer_failed(tally.error()));
    return respond_whole();
  }
  std::string last;
  if (stream_options_.include_usage) {
    json::object answer = head_json();
    answer["choices"] = json::array();
    answer["usage"] = usage_json();
    if (call_->app.options().timings) tallies_.front().add_timings(answer);
    last = sse_data(harmony::compact_json(answer));
  }
  call_->exchange->write(last + "data: [DONE]\n\n");
  call_->exchange->end();
}

}  // namespace gossamer::server
