#include "server/access_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/utf8.h"
#include "server/json_string.h"

namespace gossamer::server {
namespace {

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

/// What a client sent, on one line of a terminal: no control characters, not endless.
std::string printable(std::string_view text) {
  constexpr size_t kLongest = 200;
  std::string out = utf8_lossy(text.substr(0, kLongest));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

}  // namespace

std::string trace_id_of(std::string_view traceparent) {
  constexpr size_t kBegin = 3, kLength = 32;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (traceparent.size() <= kBegin + kLength || traceparent[kBegin - 1] != '-' || traceparent[kBegin + kLength] != '-')
    return {};
  const std::string_view id = traceparent.substr(kBegin, kLength);
  if (!std::all_of(id.begin(), id.end(), is_hex) || id.find_first_not_of('0') == std::string_view::npos) return {};
  return std::string(id);
}

std::string access_line_text(const AccessRecord& record) {
  std::string line = fmt::format("{} {} {} {} {:.3f}s {} {}", timestamp(), record.status, printable(record.method),
                                 printable(record.path), record.seconds, record.peer, record.request_id);
  if (record.completion_tokens > 0)
    line += fmt::format(" {}+{} tokens ({} cached), first {:.3f}s, {}", record.prompt_tokens, record.completion_tokens,
                        record.cached_tokens, record.first_token_seconds, record.finish);
  if (record.client_gone) line += " (client gone)";
  if (!record.error.empty()) line += " failed: " + printable(record.error);
  return line;
}

std::string access_line_json(const AccessRecord& record) {
  // Seconds as people write them, never 2.83E-5.
  std::string line = fmt::format(
      R"({{"time":"{}","status":{},"method":{},"path":{},"seconds":{:.6f},"peer":{},"request_id":{})", timestamp(),
      record.status, json_string(printable(record.method)), json_string(printable(record.path)), record.seconds,
      json_string(record.peer), json_string(record.request_id));
  if (record.client_gone) line += ",\"client_gone\":true";
  if (!record.trace_id.empty()) line += ",\"trace_id\":" + json_string(record.trace_id);
  if (!record.model.empty()) line += ",\"model\":" + json_string(record.model);
  if (record.completion_tokens > 0)
    line += fmt::format(
        R"(,"prompt_tokens":{},"cached_tokens":{},"completion_tokens":{},"ttft_seconds":{:.6f},"finish_reason":{})",
        record.prompt_tokens, record.cached_tokens, record.completion_tokens, record.first_token_seconds,
        json_string(record.finish));
  if (!record.error.empty()) line += ",\"error\":" + json_string(printable(record.error));
  return line + "}";
}

}  // namespace gossamer::server
