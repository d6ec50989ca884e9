#include "grammar/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/json.h"
#include "base/utf8.h"

namespace gossamer::grammar {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// Goes through the text once, piece by piece: each piece of GBNF has one of Lark.
class Converter {
 public:
  explicit Converter(std::string_view text) : text_(text) {}

  Result<std::string> convert() {
    if (!utf8_valid(text_)) return make_error(ErrorCode::kInvalidInput, "the grammar is not well-formed UTF-8");
    while (skip_space(), !at_end()) GOS_TRY_STATUS(convert_piece());
    if (parentheses_ != 0) return error("a parenthesis is not closed");
    if (!rules_.contains("root") || !rules_["root"].is_defined)
      return make_error(ErrorCode::kInvalidInput, "the grammar has no rule \"root\", where it would begin");
    for (const auto& [name, rule] : rules_)
      if (!rule.is_defined)
        return make_error(ErrorCode::kInvalidInput, "line {}: the rule \"{}\" is not defined", rule.line, name);
    return std::move(lark_);
  }

 private:
  struct Rule {
    std::string lark;
    size_t line = 0;
    bool is_defined = false;
  };

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  Error error(std::string_view what) const {
    return make_error(ErrorCode::kInvalidInput, "line {} of the grammar: {}", line_, what);
  }

  void skip_space() {
    for (; !at_end(); ++at_) {
      if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_end()) return;
      if (peek() == '\n') ++line_;
      if (std::string_view(" \t\r\n").find(peek()) == std::string_view::npos) return;
    }
  }

  Rule& rule_named(const std::string& name) {
    Rule& rule = rules_[name];
    if (rule.lark.empty()) {
      rule.lark = name == "root" ? "start" : fmt::format("r{}", rules_.size());
      rule.line = line_;
    }
    return rule;
  }

  Status convert_piece() {
    const char c = peek();
    if (is_name_byte(c)) return convert_name();
    if (rules_.empty()) return error("a rule begins with its name");
    if (c == '"') return convert_literal();
    if (c == '[') return convert_class();
    if (c == '{') return convert_count();
    ++at_;
    if (c == '.') return emit(" /(?s:.)/");
    if (c == '|') return emit(" |");
    if (c == '*' || c == '+' || c == '?') return emit(std::string(1, c));
    if (c == '(' && ++parentheses_ <= kMostParentheses) return emit(" (");
    if (c == ')' && --parentheses_ >= 0) return emit(")");
    return error(fmt::format("'{}' cannot stand here", c));
  }

  Status emit(std::string_view piece) {
    lark_ += piece;
    return {};
  }

  Status convert_name() {
    const size_t begin = at_;
    while (is_name_byte(peek())) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    Rule& rule = rule_named(name);
    skip_space();
    if (!text_.substr(at_).starts_with("::=")) return emit(" " + rule.lark);
    if (rule.is_defined) return error(fmt::format("the rule \"{}\" is defined twice", name));
    if (parentheses_ != 0) return error("a parenthesis is not closed");
    rule.is_defined = true;
    at_ += 3;
    return emit(fmt::format("{}{}:", lark_.empty() ? "" : "\n", rule.lark));
  }

  /// A character inside quotes or brackets, with its escapes.
  std::optional<uint32_t> take_character() {
    if (at_end() || peek() == '\n') return std::nullopt;
    if (peek() != '\\') return take_utf8();
    ++at_;
    const char kind = peek();
    if (at_end()) return std::nullopt;
    ++at_;
    switch (kind) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return take_hex(2);
      case 'u':
        return take_hex(4);
      case 'U':
        return take_hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<unsigned char>(kind);
      default:
        return std::nullopt;
    }
  }

  std::optional<uint32_t> take_hex(int digits) {
    uint32_t value = 0;
    for (; digits > 0; --digits, ++at_) {
      const char c = peek();
      const bool is_digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit && (lower < 'a' || lower > 'f')) return std::nullopt;
      value = value << 4 | static_cast<uint32_t>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return std::nullopt;
    return value;
  }

  uint32_t take_utf8() {
    const auto lead = static_cast<unsigned char>(text_[at_++]);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;  // the text is well-formed
    uint32_t code = lead & (0x3Fu >> more);
    for (int i = 0; i < more; ++i) code = code << 6 | (static_cast<unsigned char>(text_[at_++]) & 0x3Fu);
    return code;
  }

  static std::string regex_character(uint32_t code) { return fmt::format("\\u{{{:X}}}", code); }

  Status convert_literal() {
    std::string regex;
    ++at_;
    while (peek() != '"') {
      const auto character = take_character();
      if (!character) return error("a text in quotes is not closed, or has an escape that is none");
      regex += regex_character(*character);
    }
    ++at_;
    return emit(regex.empty() ? " \"\"" : " /" + regex + "/");
  }

  Status convert_class() {
    std::string regex = "[";
    ++at_;
    if (peek() == '^') {
      regex += '^';
      ++at_;
    }
    size_t count = 0;
    for (; peek() != ']'; ++count) {
      const auto first = take_character();
      if (!first) return error("a character class is not closed, or has an escape that is none");
      regex += regex_character(*first);
      if (peek() != '-' || text_.substr(at_).starts_with("-]")) continue;
      ++at_;
      const auto last = take_character();
      if (!last || *last < *first) return error("a range of characters ends before it begins");
      regex += "-" + regex_character(*last);
    }
    ++at_;
    if (count == 0) return error("a character class is empty");
    return emit(" /" + regex + "]/");
  }

  Status convert_count() {
    const size_t end = text_.find('}', at_);
    const std::string_view count = text_.substr(at_, end == std::string_view::npos ? 0 : end - at_ + 1);
    const bool fits = count.size() >= 3 && count.size() <= 12 &&
                      count.find_first_not_of("0123456789,", 1) == count.size() - 1 && count != "{,}" &&
                      std::count(count.begin(), count.end(), ',') <= 1;
    if (!fits) return error("a count is written {2}, {2,}, {,5} or {2,5}");
    at_ = end + 1;
    if (count[1] == ',') return emit(fmt::format("{{0{}", count.substr(1)));
    return emit(count);
  }

  static constexpr int kMostParentheses = 64;
  std::string_view text_;
  size_t at_ = 0, line_ = 1;
  int parentheses_ = 0;
  std::string lark_;
  std::map<std::string, Rule> rules_;
};

}  // namespace

bool is_gbnf(std::string_view text) {
  const auto skip = [&](auto belongs) {
    while (!text.empty() && belongs(text.front())) text.remove_prefix(1);
  };
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  skip(is_space);
  while (text.starts_with('#') || text.starts_with("//")) {
    skip([](char c) { return c != '\n'; });
    skip(is_space);
  }
  if (text.empty() || !is_name_byte(text.front())) return false;
  skip(is_name_byte);
  skip(is_space);
  return text.starts_with("::=");
}

Result<std::string> lark_from_gbnf(std::string_view text) {
  return Converter(text).convert();
}

}  // namespace gossamer::grammar
