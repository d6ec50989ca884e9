#include "harmony/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "base/json_builder.h"

namespace gossamer::harmony {
namespace {

// Mirrors serde_json 1.0.140 without its float_roundtrip feature.

/// 10^exponent for 0 <= exponent <= 308, correctly rounded.
double power_of_ten(int exponent) {
  static const auto table = [] {
    std::array<double, 309> powers{};
    for (int i = 0; i < 309; ++i) {
      const std::string text = fmt::format("1e{}", i);
      std::from_chars(text.data(), text.data() + text.size(), powers[static_cast<size_t>(i)]);
    }
    return powers;
  }();
  return table[static_cast<size_t>(exponent)];
}

/// digits * 10^exponent in double arithmetic; nothing where it is too large.
std::optional<double> scale(uint64_t digits, int exponent) {
  double value = static_cast<double>(digits);
  while (exponent < -308 && value != 0) {
    value /= 1e308;
    exponent += 308;
  }
  if (value == 0) return value;
  if (exponent > 308) return std::nullopt;
  value = exponent >= 0 ? value * power_of_ten(exponent) : value / power_of_ten(-exponent);
  if (std::isinf(value)) return std::nullopt;
  return value;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Reads the text of a JSON number (its grammar is checked by the parser that calls) as a double.
std::optional<double> read_double(std::string_view text) {
  const bool negative = text.starts_with('-');
  size_t at = negative ? 1 : 0;
  uint64_t digits = 0;
  int exponent = 0;
  bool full = false;  // the digits fill 64 bits: the others only count
  bool after_point = false;
  for (; at < text.size() && (is_digit(text[at]) || text[at] == '.'); ++at) {
    if (text[at] == '.') {
      // A fraction starts anew: serde_json tries again to add its digits to an integer part that was cut off.
      after_point = true;
      full = false;
      continue;
    }
    const auto digit = static_cast<uint64_t>(text[at] - '0');
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    full = full || digits > kMax / 10 || (digits == kMax / 10 && digit > kMax % 10);
    if (!full) digits = digits * 10 + digit;
    if (full && !after_point) ++exponent;
    if (!full && after_point) --exponent;
  }
  if (at < text.size()) {  // at the e or E
    ++at;
    const bool below_one = text[at] == '-';
    if (text[at] == '-' || text[at] == '+') ++at;
    int64_t written = 0;
    for (; at < text.size(); ++at) written = std::min<int64_t>(written * 10 + (text[at] - '0'), 1'000'000'000);
    const int64_t total = exponent + (below_one ? -written : written);
    exponent = static_cast<int>(std::clamp<int64_t>(total, -2'000'000'000, 2'000'000'000));
  }
  std::optional<double> magnitude = scale(digits, exponent);
  if (magnitude && negative) return -*magnitude;
  return magnitude;
}

struct SerdeNumbers {
  static constexpr bool kMinusZeroIsDouble = true;
  static std::optional<double> read_double(std::string_view text, double /*about*/) {
    return harmony::read_double(text);
  }
};

void append_string(std::string_view text, std::string& out) {
  out.push_back('"');
  for (char c : text) {
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\b':
        out.append("\\b");
        break;
      case '\f':
        out.append("\\f");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

/// Shortest digits that read back as `value`; a plain decimal with a point where the point stands within or near the
/// digits (up to 16 places before it, 5 zeros behind it), else an exponent without a plus sign. Not a number: null.
void append_double(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out.append("null");
    return;
  }
  if (std::signbit(value)) out.push_back('-');
  char buffer[32];  // d.dddde+xx
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), std::fabs(value), std::chars_format::scientific).ptr;
  const std::string_view scientific(buffer, static_cast<size_t>(end - buffer));
  const size_t e = scientific.find('e');
  int exponent = 0;
  std::from_chars(scientific.data() + e + 2, end, exponent);
  if (scientific[e + 1] == '-') exponent = -exponent;
  std::string digits(1, scientific.front());
  if (e > 2) digits.append(scientific.substr(2, e - 2));

  const int num_digits = static_cast<int>(digits.size());
  const int point = exponent + 1;  // where the point stands, counted in digits
  if (num_digits <= point && point <= 16) {
    out.append(digits).append(static_cast<size_t>(point - num_digits), '0').append(".0");
  } else if (0 < point && point <= 16) {
    out.append(digits, 0, static_cast<size_t>(point)).append(".").append(digits, static_cast<size_t>(point));
  } else if (-5 < point && point <= 0) {
    out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else {
    out.append(digits, 0, 1);
    if (num_digits > 1) out.append(".").append(digits, 1);
    fmt::format_to(std::back_inserter(out), "e{}", exponent);
  }
}

void append_value(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::null:
      out.append("null");
      break;
    case json::kind::bool_:
      out.append(value.get_bool() ? "true" : "false");
      break;
    case json::kind::int64:
      fmt::format_to(std::back_inserter(out), "{}", value.get_int64());
      break;
    case json::kind::uint64:
      fmt::format_to(std::back_inserter(out), "{}", value.get_uint64());
      break;
    case json::kind::double_:
      append_double(value.get_double(), out);
      break;
    case json::kind::string:
      append_string(value.get_string(), out);
      break;
    case json::kind::array: {
      out.push_back('[');
      const char* separator = "";
      for (const json::value& element : value.get_array()) {
        out.append(std::exchange(separator, ","));
        append_value(element, out);
      }
      out.push_back(']');
      break;
    }
    case json::kind::object: {
      out.push_back('{');
      const char* separator = "";
      for (const auto& [key, member] : value.get_object()) {
        out.append(std::exchange(separator, ","));
        append_string(key, out);
        out.push_back(':');
        append_value(member, out);
      }
      out.push_back('}');
      break;
    }
  }
}

}  // namespace

Result<json::value> parse_json_like_serde(std::string_view text, std::string_view what) {
  return parse_json_with<SerdeNumbers>(text, what);
}

std::string compact_json(const json::value& value) {
  std::string out;
  append_value(value, out);
  return out;
}

}  // namespace gossamer::harmony
