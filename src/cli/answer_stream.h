#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "engine/session.h"
#include "harmony/answer.h"
#include "harmony/stream_parser.h"

namespace gossamer::cli {

/// What a model answered: its messages, what they say, and how the answer came about.
struct Answer {
  std::vector<harmony::Message> messages;
  harmony::Answer parts;
  FinishReason finish = FinishReason::kStop;
  GenerateStats stats;

  /// "stop", "length", "cancelled", or "tool_calls" where the model waits for a tool.
  std::string_view finish_reason() const;
};

/// {"name", "arguments"}: the name without "functions.", the arguments as JSON where they are JSON, else as text.
json::object tool_call_json(const harmony::ToolCall& call);

/// Takes the tokens of an answer and tells its text as it comes.
class AnswerStream {
 public:
  /// Gets pieces of text, with the message (its header complete) that they belong to.
  using Listener = std::function<void(const harmony::TextDelta& delta, const harmony::Message& message)>;

  /// Errors: the vocabulary lacks harmony's frame tokens.
  static Result<AnswerStream> create(std::shared_ptr<const Tokenizer> tokenizer, Listener listener);

  void feed(TokenId token);
  /// No more tokens come: all messages of the answer.
  const std::vector<harmony::Message>& finish();

 private:
  AnswerStream(harmony::StreamParser parser, Listener listener)
      : parser_(std::move(parser)), listener_(std::move(listener)) {}
  void tell();

  harmony::StreamParser parser_;
  Listener listener_;
};

}  // namespace gossamer::cli
