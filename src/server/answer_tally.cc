#include "server/answer_tally.h"

#include <algorithm>

namespace gossamer::server {

std::string_view openai_finish(AnswerEvent::Finish finish) {
  switch (finish) {
    case AnswerEvent::Finish::kStop:
      return "stop";
    case AnswerEvent::Finish::kToolCalls:
      return "tool_calls";
    default:
      return "length";
  }
}

void AnswerTally::add(const AnswerEvent& end) {
  if (end.choice == 0) {
    usage_.prompt_tokens = end.usage.prompt_tokens;
    usage_.cached_tokens = end.usage.cached_tokens;
    const double end_seconds = std::max(times_.end_seconds, end.times.end_seconds);
    times_ = end.times;
    times_.end_seconds = end_seconds;
    finish_ = openai_finish(end.finish);
  }
  usage_.completion_tokens += end.usage.completion_tokens;
  usage_.reasoning_tokens += end.usage.reasoning_tokens;
  times_.end_seconds = std::max(times_.end_seconds, end.times.end_seconds);
  if (end.finish == AnswerEvent::Finish::kError && error_.empty()) error_ = end.error.empty() ? "failed" : end.error;
  --num_open_;
}

json::object usage_to_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", usage.reasoning_tokens},
            {"audio_tokens", 0},
            {"accepted_prediction_tokens", 0},
            {"rejected_prediction_tokens", 0}}}};
}

json::object usage_so_far_to_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

void AnswerTally::add_timings(json::object& answer) const {
  const auto rate = [](double count, double seconds) { return seconds > 0 ? count / seconds : 0; };
  const auto each = [](double seconds, double count) { return count > 0 ? 1e3 * seconds / count : 0; };
  const double prompt_seconds = std::max(times_.first_token_seconds - times_.queue_seconds, 0.0);
  const double answer_seconds = std::max(times_.end_seconds - times_.first_token_seconds, 0.0);
  const double computed = usage_.prompt_tokens - usage_.cached_tokens, answered = usage_.completion_tokens;
  answer["ttft"] = times_.first_token_seconds;
  answer["timings"] = {{"queue_ms", 1e3 * times_.queue_seconds},
                       {"cache_n", usage_.cached_tokens},
                       {"prompt_n", usage_.prompt_tokens - usage_.cached_tokens},
                       {"prompt_ms", 1e3 * prompt_seconds},
                       {"prompt_per_token_ms", each(prompt_seconds, computed)},
                       {"prompt_per_second", rate(computed, prompt_seconds)},
                       {"predicted_n", usage_.completion_tokens},
                       {"predicted_ms", 1e3 * answer_seconds},
                       {"predicted_per_token_ms", each(answer_seconds, answered)},
                       {"predicted_per_second", rate(answered, answer_seconds)}};
}

void AnswerTally::fill(AccessRecord& record) const {
  record.prompt_tokens = usage_.prompt_tokens;
  record.cached_tokens = usage_.cached_tokens;
  record.completion_tokens = usage_.completion_tokens;
  record.first_token_seconds = times_.first_token_seconds;
  record.finish = finish_;
  record.error = error_;
}

}  // namespace gossamer::server
