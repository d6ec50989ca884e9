#include "cli/answer_stream.h"

#include "harmony/json_text.h"

namespace gossamer::cli {

std::string_view Answer::finish_reason() const {
  return finish == FinishReason::kStop && !parts.tool_calls.empty() ? "tool_calls" : finish_reason_name(finish);
}

json::object tool_call_json(const harmony::ToolCall& call) {
  constexpr std::string_view kNamespace = "functions.";
  std::string_view name = call.name;
  if (name.starts_with(kNamespace)) name.remove_prefix(kNamespace.size());
  Result<json::value> arguments = harmony::parse_json_like_serde(call.arguments, "arguments");
  return {{"name", name}, {"arguments", arguments.ok() ? *arguments : json::value(call.arguments)}};
}

Result<AnswerStream> AnswerStream::create(std::shared_ptr<const Tokenizer> tokenizer, Listener listener) {
  GOS_TRY(harmony::StreamParser parser,
          harmony::StreamParser::create(std::move(tokenizer), harmony::Role::kAssistant, harmony::ParseMode::kLenient));
  return AnswerStream(std::move(parser), std::move(listener));
}

void AnswerStream::feed(TokenId token) {
  (void)parser_.feed(token);  // lenient parsing takes everything
  tell();
}

const std::vector<harmony::Message>& AnswerStream::finish() {
  (void)parser_.finish();
  tell();
  return parser_.messages();
}

void AnswerStream::tell() {
  if (!listener_) return;
  for (const harmony::TextDelta& delta : parser_.deltas()) listener_(delta, parser_.message(delta.message_idx));
}

}  // namespace gossamer::cli
