#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/api_error.h"
#include "server/generation.h"

namespace gossamer::server {

/// "2026-11-22T09:30:00.123456789Z"
std::string rfc3339_nanoseconds(int64_t unix_nanoseconds);
std::string rfc3339_now();

/// Arguments of a call as an object, whatever the model wrote: an array with one object is that object, what is none is
/// {"_raw": text}.
json::object call_arguments_object(const std::string& text);

struct OllamaWriterOptions {
  bool is_chat = true;  ///< "message", else "response"
  std::string model;    ///< as the client called it
  bool stream = true;
  bool shows_thinking = true;
};

/// Makes the lines of an answer in Ollama's form: NDJSON, each with its "\n"; without streaming, one object at the end.
class OllamaWriter {
 public:
  explicit OllamaWriter(OllamaWriterOptions options) : options_(std::move(options)) {}

  /// Everything but kEnd. Empty: there is nothing to be sent yet.
  std::string add(const AnswerEvent& event);
  /// The last line, with counts and durations. `load_seconds`: what passed before the engine had the request. Error:
  /// the answer did not come to an end of its own; a stream sends it as a line, {"error": text}.
  std::string end(const AnswerEvent& event, double load_seconds, std::optional<ApiError>& error);

  /// The answer to a request that has nothing to answer: "load" or "unload".
  json::object loaded(std::string_view done_reason) const;

 private:
  struct Said {
    std::string text, thinking;
    json::array calls, logprobs;
  };

  json::object head() const;
  /// A line with what was said; of a chat, "content" is always there.
  json::object line(Said said) const;
  void add_call();

  const OllamaWriterOptions options_;
  Said said_;  // since the last line; without streaming, all
  std::string call_id_, call_name_, call_arguments_;
  uint32_t num_calls_ = 0;
};

}  // namespace gossamer::server
