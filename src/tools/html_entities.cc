#include "tools/html_entities.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace gossamer::tools {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void append_code_point(uint32_t code, std::string& out) {
  const bool is_character = code > 0 && code < 0x110000 && (code < 0xd800 || code > 0xdfff);
  if (!is_character) code = 0xfffd;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::optional<uint32_t> numeric_entity(std::string_view name) {
  if (name.size() < 2 || name[0] != '#') return std::nullopt;
  const bool is_hex = name[1] == 'x' || name[1] == 'X';
  uint32_t code = 0;
  const std::string_view digits = name.substr(is_hex ? 2 : 1);
  if (digits.empty() || digits.size() > 8) return std::nullopt;
  for (const char c : digits) {
    const char d = lower(c);
    const int value = d >= '0' && d <= '9' ? d - '0' : is_hex && d >= 'a' && d <= 'f' ? d - 'a' + 10 : -1;
    if (value < 0) return std::nullopt;
    code = std::min<uint32_t>(code, 0x1000000) * (is_hex ? 16 : 10) + static_cast<uint32_t>(value);
  }
  return code;
}

std::optional<uint32_t> named_entity(std::string_view name) {
  constexpr std::pair<std::string_view, uint32_t> kNames[] = {
      {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},      {"apos", '\''},    {"nbsp", ' '},
      {"copy", 0xa9},    {"reg", 0xae},     {"trade", 0x2122}, {"hellip", 0x2026}, {"mdash", 0x2014}, {"ndash", 0x2013},
      {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201c}, {"rdquo", 0x201d},  {"bull", 0x2022},  {"middot", 0xb7},
      {"laquo", 0xab},   {"raquo", 0xbb},   {"deg", 0xb0},     {"times", 0xd7},    {"euro", 0x20ac},  {"pound", 0xa3},
      {"sect", 0xa7},    {"para", 0xb6},    {"larr", 0x2190},  {"rarr", 0x2192},   {"auml", 0xe4},    {"ouml", 0xf6},
      {"uuml", 0xfc},    {"Auml", 0xc4},    {"Ouml", 0xd6},    {"Uuml", 0xdc},     {"szlig", 0xdf},   {"eacute", 0xe9},
      {"egrave", 0xe8},  {"agrave", 0xe0},  {"ccedil", 0xe7},  {"ntilde", 0xf1},   {"shy", 0xad},     {"zwj", 0x200d}};
  for (const auto& [known, code] : kNames)
    if (known == name) return code;
  return std::nullopt;
}

}  // namespace

std::string without_entities(std::string_view text) {
  constexpr size_t kLongestName = 10;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&') {
      const size_t end = text.substr(0, i + kLongestName + 2).find(';', i);
      const std::string_view name = end == std::string_view::npos ? "" : text.substr(i + 1, end - i - 1);
      std::optional<uint32_t> code = numeric_entity(name);
      if (!code) code = named_entity(name);
      if (code) {
        append_code_point(*code, out);
        i = end;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace gossamer::tools
