#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "server/generation.h"
#include "server/histogram.h"

namespace gossamer::server {

/// What the server counts; any thread may count. Token counters agree exactly with the `usage` of answers, also of
/// those whose clients went away.
class Metrics {
 public:
  Metrics();

  /// Tokens that were read, found in the prefix cache or written since the last call for the same answer: counters move
  /// with every step.
  void count_tokens(const Usage& more);
  /// The first step of a request began so long after it came, or it ended without one.
  void count_begin(double queue_seconds) { queue_.observe(queue_seconds); }
  /// A request has its first token; `times` as they are by then.
  void count_first_token(const RequestTimes& times);
  /// A token of an answer came so long after the one before it.
  void count_token_gap(double seconds) { inter_token_.observe(seconds); }
  /// A request has ended: usage of all its choices together, times and reason of the first; tokens of the longest. Its
  /// tokens were counted before.
  void count_answer(const Usage& usage, const RequestTimes& times, AnswerEvent::Finish finish, uint32_t num_choices,
                    uint32_t longest_answer);
  /// A step of the engine has computed so many tokens.
  void count_step(uint32_t tokens) { step_size_.observe(tokens); }
  /// Any HTTP request has been answered.
  void count_http(unsigned status) { ++http_[status / 100 % kStatusClasses]; }
  /// A request was refused because the line is full.
  void count_refused_busy() { ++refused_busy_; }

  /// The text format 0.0.4, with our names and vLLM's. `model`: null while none is loaded.
  std::string exposition(const ServedModel* model) const;

 private:
  static constexpr size_t kFinishes = 6, kStatusClasses = 6;

  std::atomic<uint64_t> prompt_tokens_{0}, cached_tokens_{0}, generated_tokens_{0}, reasoning_tokens_{0};
  std::atomic<uint64_t> refused_busy_{0};
  std::array<std::atomic<uint64_t>, kFinishes> finished_{};
  std::array<std::atomic<uint64_t>, kStatusClasses> http_{};
  Histogram ttft_, inter_token_, per_token_, end_to_end_, queue_, prefill_, decode_, computing_;
  Histogram prompt_size_, answer_size_, longest_answer_size_, step_size_;
};

}  // namespace gossamer::server
