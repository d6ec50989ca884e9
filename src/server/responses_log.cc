#include "server/responses_log.h"

#include <utility>

#include "harmony/json_text.h"

namespace gossamer::server {
namespace {

// A line is an array: the kind's number, then
//   texts: text, and tokens where there are any: [id, bytes as Latin-1, logprob, [[id, bytes, logprob], ...]]
//   kCallBegin: index, call id, name
//   kServerTools, kServerCall, kServerResult, kApprovalRequest: call id, name, text, failed, details
//   kEnd: an object.

/// Bytes as a text that JSON can hold: each byte becomes the character of that number.
json::string latin1(std::string_view bytes) {
  json::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      text.push_back(c);
    } else {
      text.push_back(static_cast<char>(0xc0 | byte >> 6));
      text.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return text;
}

std::string from_latin1(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const bool is_pair = byte >= 0xc0 && i + 1 < text.size();
    bytes.push_back(is_pair ? static_cast<char>((byte & 0x03) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f))
                            : text[i]);
  }
  return bytes;
}

/// JSON has no infinity.
double finite(float logprob) {
  return logprob > -9999.f ? static_cast<double>(logprob) : -9999.;
}

json::array token_to_json(const ScoredToken& token) {
  json::array top;
  for (const ScoredToken::Other& other : token.top)
    top.push_back(json::array{other.id, latin1(other.bytes), finite(other.logprob)});
  return {token.id, latin1(token.bytes), finite(token.logprob), std::move(top)};
}

// Readers give what is absent, or of another type, its zero.

const json::value* at(const json::array& array, size_t idx) {
  return idx < array.size() ? &array[idx] : nullptr;
}

std::string text_of(const json::value* value) {
  const json::string* text = value ? value->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

double number_of(const json::value* value) {
  return value && value->is_number() ? value->to_number<double>() : 0;
}

uint32_t count_of(const json::value* value) {
  const double number = number_of(value);
  return number >= 0 && number < 4294967296.0 ? static_cast<uint32_t>(number) : 0;
}

template <class Token>
Token token_from_json(const json::array& array) {
  Token token;
  token.id = static_cast<TokenId>(count_of(at(array, 0)));
  token.bytes = from_latin1(text_of(at(array, 1)));
  token.logprob = static_cast<float>(number_of(at(array, 2)));
  return token;
}

std::vector<ScoredToken> tokens_from_json(const json::value* value) {
  std::vector<ScoredToken> tokens;
  const json::array* list = value ? value->if_array() : nullptr;
  if (!list) return tokens;
  for (const json::value& entry : *list) {
    const json::array* array = entry.if_array();
    if (!array) continue;
    tokens.push_back(token_from_json<ScoredToken>(*array));
    const json::value* top = at(*array, 3);
    if (!top || !top->is_array()) continue;
    for (const json::value& other : top->get_array())
      if (other.is_array()) tokens.back().top.push_back(token_from_json<ScoredToken::Other>(other.get_array()));
  }
  return tokens;
}

json::object end_to_json(const AnswerEvent& event, const ResponsesEnd& end) {
  return {{"finish", static_cast<int>(event.finish)},
          {"error", event.error},
          {"prompt", event.usage.prompt_tokens},
          {"cached", event.usage.cached_tokens},
          {"completion", event.usage.completion_tokens},
          {"reasoning", event.usage.reasoning_tokens},
          {"completed", end.completed_unix_seconds},
          {"by_client", end.cancelled_by_client},
          {"extras", end.extras}};
}

void end_from_json(const json::value& value, AnswerEvent& event, ResponsesEnd& end) {
  const uint32_t finish = count_of(find_member(value, "finish"));
  constexpr auto kLast = static_cast<uint32_t>(AnswerEvent::Finish::kError);
  event.finish = static_cast<AnswerEvent::Finish>(finish <= kLast ? finish : kLast);
  event.error = text_of(find_member(value, "error"));
  event.usage.prompt_tokens = count_of(find_member(value, "prompt"));
  event.usage.cached_tokens = count_of(find_member(value, "cached"));
  event.usage.completion_tokens = count_of(find_member(value, "completion"));
  event.usage.reasoning_tokens = count_of(find_member(value, "reasoning"));
  end.completed_unix_seconds = static_cast<int64_t>(number_of(find_member(value, "completed")));
  const json::value* by_client = find_member(value, "by_client");
  end.cancelled_by_client = by_client && by_client->is_bool() && by_client->get_bool();
  if (const json::value* extras = find_member(value, "extras"); extras && extras->is_object())
    end.extras = extras->get_object();
}

bool is_of_server(AnswerEvent::Kind kind) {
  return kind > AnswerEvent::Kind::kEnd;
}

void replay_line(const json::array& line, ResponsesWriter& writer) {
  constexpr auto kLast = static_cast<uint32_t>(AnswerEvent::Kind::kApprovalRequest);
  const uint32_t kind = count_of(at(line, 0));
  if (kind > kLast) return;
  AnswerEvent event;
  event.kind = static_cast<AnswerEvent::Kind>(kind);
  if (event.kind == AnswerEvent::Kind::kEnd) {
    ResponsesEnd end;
    if (const json::value* fields = at(line, 1)) end_from_json(*fields, event, end);
    return writer.end(event, end);
  }
  if (event.kind == AnswerEvent::Kind::kCallBegin) {
    event.call_idx = count_of(at(line, 1));
    event.call_id = text_of(at(line, 2));
    event.name = text_of(at(line, 3));
  } else if (is_of_server(event.kind)) {
    event.call_id = text_of(at(line, 1));
    event.name = text_of(at(line, 2));
    event.text = text_of(at(line, 3));
    const json::value* failed = at(line, 4);
    event.failed = failed && failed->is_bool() && failed->get_bool();
    if (const json::value* details = at(line, 5); details && details->is_object())
      event.details = std::make_shared<const json::object>(details->get_object());
  } else {
    event.text = text_of(at(line, 1));
    event.tokens = tokens_from_json(at(line, 2));
  }
  writer.add(event);
}

}  // namespace

void ResponsesLog::add(const AnswerEvent& event) {
  json::array line{static_cast<int>(event.kind)};
  if (event.kind == AnswerEvent::Kind::kCallBegin) {
    line.insert(line.end(), {event.call_idx, event.call_id, event.name});
  } else if (is_of_server(event.kind)) {
    line.insert(line.end(), {event.call_id, event.name, event.text, event.failed});
    if (event.details) line.push_back(*event.details);
  } else if (event.kind != AnswerEvent::Kind::kCallEnd) {
    line.push_back(json::string(event.text));
    json::array tokens;
    for (const ScoredToken& token : event.tokens) tokens.push_back(token_to_json(token));
    if (!tokens.empty()) line.push_back(std::move(tokens));
  }
  text_.append(harmony::compact_json(line)).push_back('\n');
}

void ResponsesLog::end(const AnswerEvent& event, const ResponsesEnd& end) {
  const json::array line{static_cast<int>(AnswerEvent::Kind::kEnd), end_to_json(event, end)};
  text_.append(harmony::compact_json(line)).push_back('\n');
}

void replay(std::string_view log, ResponsesWriter& writer) {
  writer.begin();
  replay_on(log, writer);
}

void replay_on(std::string_view log, ResponsesWriter& writer) {
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    const Result<json::value> line = parse_json(log.substr(0, end), "the log");
    if (line.ok() && line->is_array()) replay_line(line->get_array(), writer);
    log.remove_prefix(std::min(end + 1, log.size()));
  }
}

}  // namespace gossamer::server
