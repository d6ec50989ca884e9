#include "server/ollama_writer.h"

#include <chrono>
#include <ctime>
#include <utility>

#include "harmony/json_text.h"
#include "server/chat_answer.h"

namespace gossamer::server {
namespace {

int64_t nanoseconds(double seconds) {
  return seconds > 0 ? static_cast<int64_t>(seconds * 1e9) : 0;
}

std::string as_line(const json::object& object) {
  return harmony::compact_json(object) + "\n";
}

}  // namespace

std::string rfc3339_nanoseconds(int64_t unix_nanoseconds) {
  const std::time_t seconds = unix_nanoseconds / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, unix_nanoseconds % 1'000'000'000);
}

std::string rfc3339_now() {
  using namespace std::chrono;
  return rfc3339_nanoseconds(duration_cast<std::chrono::nanoseconds>(system_clock::now().time_since_epoch()).count());
}

json::object call_arguments_object(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  Result<json::value> value = harmony::parse_json_like_serde(text, "the arguments");
  if (value.ok() && value->is_array() && value->get_array().size() == 1) {
    json::value only = std::move(value->get_array().front());
    *value = std::move(only);
  }
  if (value.ok() && value->is_object()) return std::move(value->get_object());
  return {{"_raw", text}};
}

json::object OllamaWriter::head() const {
  return {{"model", options_.model}, {"created_at", rfc3339_now()}};
}

json::object OllamaWriter::line(Said said) const {
  json::object line = head();
  if (options_.is_chat) {
    json::object message{{"role", "assistant"}, {"content", std::move(said.text)}};
    if (!said.thinking.empty()) message["thinking"] = std::move(said.thinking);
    if (!said.calls.empty()) message["tool_calls"] = std::move(said.calls);
    line["message"] = std::move(message);
  } else {
    line["response"] = std::move(said.text);
    if (!said.thinking.empty()) line["thinking"] = std::move(said.thinking);
  }
  if (!said.logprobs.empty()) line["logprobs"] = std::move(said.logprobs);
  line["done"] = false;
  return line;
}

void OllamaWriter::add_call() {
  json::object function{{"index", num_calls_++},
                        {"name", std::move(call_name_)},
                        {"arguments", call_arguments_object(std::exchange(call_arguments_, {}))}};
  said_.calls.push_back(json::object{{"id", std::move(call_id_)}, {"function", std::move(function)}});
}

std::string OllamaWriter::add(const AnswerEvent& event) {
  switch (event.kind) {
    case AnswerEvent::Kind::kReasoning:
      if (!options_.shows_thinking) return {};
      said_.thinking += event.text;
      break;
    case AnswerEvent::Kind::kPreamble:
    case AnswerEvent::Kind::kText:
      said_.text += event.text;
      for (json::value& token : chat_logprobs(event.tokens)) said_.logprobs.push_back(std::move(token));
      break;
    case AnswerEvent::Kind::kCallBegin:
      call_id_ = event.call_id;
      call_name_ = event.name;
      call_arguments_.clear();
      return {};
    case AnswerEvent::Kind::kCallArguments:
      call_arguments_ += event.text;
      return {};
    case AnswerEvent::Kind::kCallEnd:  // a call that was cut off has none, and is no call
      add_call();
      break;
    case AnswerEvent::Kind::kEnd:
    case AnswerEvent::Kind::kServerTools:
    case AnswerEvent::Kind::kServerCall:
    case AnswerEvent::Kind::kServerResult:
    case AnswerEvent::Kind::kApprovalRequest:
      return {};
  }
  if (!options_.stream) return {};
  return as_line(line(std::exchange(said_, {})));
}

std::string OllamaWriter::end(const AnswerEvent& event, double load_seconds, std::optional<ApiError>& error) {
  if (event.finish == AnswerEvent::Finish::kError) error = answer_failed(event.error);
  if (error) return as_line(ollama_error_body(*error));
  json::object last = line(std::exchange(said_, {}));
  last["done"] = true;
  const bool is_whole = event.finish == AnswerEvent::Finish::kStop || event.finish == AnswerEvent::Finish::kToolCalls;
  last["done_reason"] = is_whole ? "stop" : "length";  // a deadline and the server's own end cut it short as well
  last["total_duration"] = nanoseconds(load_seconds + event.times.end_seconds);
  last["load_duration"] = nanoseconds(load_seconds);
  last["prompt_eval_count"] = event.usage.prompt_tokens;
  last["prompt_eval_duration"] = nanoseconds(event.times.first_token_seconds - event.times.queue_seconds);
  last["eval_count"] = event.usage.completion_tokens;
  last["eval_duration"] = nanoseconds(event.times.end_seconds - event.times.first_token_seconds);
  return as_line(last);
}

json::object OllamaWriter::loaded(std::string_view done_reason) const {
  json::object answer = line({});
  answer["done"] = true;
  answer["done_reason"] = done_reason;
  return answer;
}

}  // namespace gossamer::server
