#pragma once

#include <string_view>

#include "base/json.h"
#include "server/access_record.h"
#include "server/generation.h"

namespace gossamer::server {

/// "usage" as chat completions and completions have it.
json::object usage_to_json(const Usage& usage);

/// "usage" of an answer that goes on: what is known so far.
json::object usage_so_far_to_json(const Usage& usage);

/// The ends of all choices of an answer, added up.
class AnswerTally {
 public:
  explicit AnswerTally(uint32_t num_choices) : num_open_(num_choices) {}

  /// The kEnd of a choice.
  void add(const AnswerEvent& end);
  bool complete() const { return num_open_ == 0; }
  const Usage& usage() const { return usage_; }  ///< the prompt counts once
  /// Of the choice that failed; empty: none did.
  const std::string& error() const { return error_; }

  json::object usage_json() const { return usage_to_json(usage_); }
  /// Adds "ttft" in seconds and "timings" as llama.cpp names them.
  void add_timings(json::object& answer) const;
  void fill(AccessRecord& record) const;

 private:
  uint32_t num_open_;
  Usage usage_;
  RequestTimes times_;  // of the first choice; the last end of all
  std::string_view finish_;
  std::string error_;
};

/// OpenAI's finish_reason. What was cut short by a deadline, an abort or a shutdown is "length": clients take no words
/// that OpenAI does not have.
std::string_view openai_finish(AnswerEvent::Finish finish);

}  // namespace gossamer::server
