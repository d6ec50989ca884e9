#include "simulator/trace.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <functional>
#include <random>

#include "base/json.h"
#include "base/mmap_file.h"

namespace gossamer::simulator {
namespace {

constexpr uint64_t kLargestTraceBytes = 4ull << 30;
constexpr double kLatestSeconds = 1e11;  // the year 5138

using Fields = std::vector<std::string_view>;

Fields split(std::string_view line) {
  constexpr size_t kMostFields = 64;
  Fields fields;
  while (true) {
    if (fields.size() == kMostFields) return fields;
    const size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

template <class Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// "2023-11-16 18:17:03.9799600" as seconds.
bool parse_time(std::string_view text, double& seconds) {
  std::tm day{};
  double second = 0;
  if (text.size() < 19) return false;
  int* const parts[] = {&day.tm_year, &day.tm_mon, &day.tm_mday, &day.tm_hour, &day.tm_min};
  constexpr std::pair<size_t, size_t> kPlaces[] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}};
  for (size_t i = 0; i < 5; ++i)
    if (!parse(text.substr(kPlaces[i].first, kPlaces[i].second), *parts[i])) return false;
  std::string_view rest = text.substr(17);
  rest = rest.substr(0, rest.find_first_of("+Z"));
  if (!parse(rest, second)) return false;
  day.tm_year -= 1900;
  day.tm_mon -= 1;
  seconds = static_cast<double>(timegm(&day)) + second;
  return true;
}

/// Where a CSV has what is wanted, by the names in its header.
struct Columns {
  size_t time = kNone, input = kNone, output = kNone, session = kNone;
  bool is_date = false;
  static constexpr size_t kNone = ~size_t{0};

  static Columns from_header(std::string_view header) {
    Columns columns;
    const Fields names = split(header);
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == "Timestamp" || names[i] == "TIMESTAMP")
        columns.time = i, columns.is_date = names[i] == "TIMESTAMP";
      if (names[i] == "Request tokens" || names[i] == "ContextTokens") columns.input = i;
      if (names[i] == "Response tokens" || names[i] == "GeneratedTokens") columns.output = i;
      if (names[i] == "Session ID") columns.session = i;
    }
    return columns;
  }
  bool complete() const { return time != kNone && input != kNone && output != kNone; }

  bool read(std::string_view line, TraceRequest& request) const {
    const Fields fields = split(line);
    if (fields.size() <= std::max({time, input, output})) return false;
    if (session != kNone && session < fields.size()) request.tenant = std::hash<std::string_view>()(fields[session]);
    return (is_date ? parse_time(fields[time], request.arrival_seconds)
                    : parse(fields[time], request.arrival_seconds)) &&
           parse(fields[input], request.input_tokens) && parse(fields[output], request.output_tokens);
  }
};

bool read_mooncake(std::string_view line, TraceRequest& request) {
  boost::system::error_code error;
  const json::value row = json::parse(line, error);
  if (error || !row.is_object()) return false;
  const json::object& fields = row.get_object();
  const auto number = [&](std::string_view name, double most) {
    const json::value* value = fields.if_contains(name);
    const double exact = value && value->is_number() ? value->to_number<double>(error) : -1;
    return exact >= 0 && exact <= most ? exact : -1;
  };
  const double milliseconds = number("timestamp", kLatestSeconds * 1e3);
  const double input = number("input_length", UINT32_MAX), output = number("output_length", UINT32_MAX);
  if (error || milliseconds < 0 || input < 0 || output < 0) return false;
  request.arrival_seconds = milliseconds / 1e3;
  request.input_tokens = static_cast<uint32_t>(input);
  request.output_tokens = static_cast<uint32_t>(output);
  if (const json::value* ids = fields.if_contains("hash_ids"); ids && ids->is_array())
    for (const json::value& id : ids->get_array()) {
      if (!id.is_number()) return false;
      request.blocks.push_back(id.to_number<uint64_t>(error));
      if (error) return false;
    }
  return true;
}

}  // namespace

Result<std::vector<TraceRequest>> read_trace(const std::string& path) {
  GOS_TRY(const std::string text, read_file(path, kLargestTraceBytes));
  return parse_trace(text, path);
}

Result<std::vector<TraceRequest>> parse_trace(std::string_view text, const std::string& name) {
  std::vector<TraceRequest> requests;
  enum { kUnknown, kCsv, kJsonLines } format = kUnknown;
  Columns columns;
  for (uint64_t number = 1; !text.empty(); ++number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (format == kUnknown) {
      format = line.starts_with("{") ? kJsonLines : kCsv;
      if (format == kCsv) {
        columns = Columns::from_header(line);
        if (columns.complete()) continue;
        return make_error(
            ErrorCode::kInvalidInput,
            "{} begins with none of the traces known: BurstGPT's CSV (Timestamp,Model,Request tokens,...), "
            "Azure's (TIMESTAMP,ContextTokens,GeneratedTokens) or Mooncake's JSON lines",
            name);
      }
    }
    TraceRequest request;
    const bool good = format == kCsv ? columns.read(line, request) : read_mooncake(line, request);
    if (!good || !(std::abs(request.arrival_seconds) < kLatestSeconds))
      return make_error(ErrorCode::kInvalidInput, "{}, line {}: not a request: {}", name, number, line.substr(0, 60));
    if (request.input_tokens > 0 && request.output_tokens > 0) requests.push_back(std::move(request));
  }
  if (requests.empty()) return make_error(ErrorCode::kInvalidInput, "{} has no requests", name);
  std::stable_sort(requests.begin(), requests.end(),
                   [](const TraceRequest& a, const TraceRequest& b) { return a.arrival_seconds < b.arrival_seconds; });
  const double first = requests.front().arrival_seconds;
  for (TraceRequest& request : requests) request.arrival_seconds -= first;
  return requests;
}

std::vector<TraceRequest> make_trace(const SyntheticTrace& options) {
  std::mt19937_64 random(options.seed);
  const auto exponential = [&](double mean) { return std::exponential_distribution<>(1 / mean)(random); };
  const auto length = [&](double mean) {  // log-normal with sigma 1: a few are long
    const double tokens = std::lognormal_distribution<>(std::log(mean) - 0.5, 1.0)(random);
    return static_cast<uint32_t>(std::clamp(tokens, 1.0, 50000.0));
  };
  std::vector<TraceRequest> requests;
  uint64_t next_block = 1'000'000;
  const double conversations_per_second = options.requests_per_second / std::max(1.0, options.turns);
  for (double start = exponential(1 / conversations_per_second); start < options.seconds;
       start += exponential(1 / conversations_per_second)) {
    TraceRequest turn;
    turn.tenant = random() % std::max(1u, options.tenants);
    for (uint32_t block = 0; block < options.system_tokens / kTraceBlockTokens + 1; ++block)
      turn.blocks.push_back(turn.tenant * 1000 + block);
    turn.input_tokens = options.system_tokens;
    turn.arrival_seconds = start;
    do {
      turn.input_tokens += length(options.mean_input_tokens / std::max(1.0, options.turns));
      turn.output_tokens = length(options.mean_output_tokens);
      while (turn.blocks.size() * kTraceBlockTokens < turn.input_tokens + turn.output_tokens)
        turn.blocks.push_back(next_block++);
      if (turn.arrival_seconds < options.seconds) requests.push_back(turn);
      turn.input_tokens += turn.output_tokens;  // the answer is part of the next prompt
      turn.arrival_seconds += 5 + exponential(10);
    } while (std::uniform_real_distribution<>(0, 1)(random) < 1 - 1 / std::max(1.0, options.turns));
  }
  std::stable_sort(requests.begin(), requests.end(),
                   [](const TraceRequest& a, const TraceRequest& b) { return a.arrival_seconds < b.arrival_seconds; });
  return requests;
}

}  // namespace gossamer::simulator
