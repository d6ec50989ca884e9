#include "grammar/grammar_spec.h"

#include <algorithm>

#include "base/utf8.h"
#include "grammar/gbnf.h"
#include "grammar/schema_check.h"
#include "grammar/schema_names.h"

namespace gossamer::grammar {
namespace {

constexpr size_t kMaxTextBytes = 64 << 10;
constexpr size_t kMaxCompiledBytes = 1 << 20;  // of a schema with its formats as expressions
constexpr int kMaxNesting = 64;
constexpr size_t kMaxChoices = 10'000;

/// Bounds of what is compiled as it is: parsers of expressions and grammars go as deep as their brackets.
Status check_text(const std::string& text, std::string_view what) {
  if (text.empty()) return make_error(ErrorCode::kInvalidInput, "the {} is empty", what);
  if (text.size() > kMaxTextBytes)
    return make_error(ErrorCode::kInvalidInput, "the {} has {} bytes, and {} are the most", what, text.size(),
                      kMaxTextBytes);
  if (!utf8_valid(text)) return make_error(ErrorCode::kInvalidInput, "the {} is not well-formed UTF-8", what);
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '(' || c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ')' || c == ']' || c == '}') depth = std::max(0, depth - 1);
  }
  if (deepest <= kMaxNesting) return {};
  return make_error(ErrorCode::kInvalidInput, "the {} is nested deeper than {}", what, kMaxNesting);
}

/// `text` as an expression that matches it and nothing else.
std::string escaped(std::string_view text) {
  std::string expression;
  for (const char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$#&-~/)").find(c) != std::string_view::npos) expression += '\\';
    expression += c;
  }
  return expression;
}

/// A whole match is wanted in any case: "^a$" is "a".
std::string without_anchors(std::string_view expression) {
  if (expression.starts_with('^')) expression.remove_prefix(1);
  if (!expression.ends_with('$')) return std::string(expression);
  const size_t before = expression.size() - 1;
  size_t backslashes = 0;
  while (backslashes < before && expression[before - 1 - backslashes] == '\\') ++backslashes;
  if (backslashes % 2 == 0) expression.remove_suffix(1);
  return std::string(expression);
}

}  // namespace

GrammarSpec GrammarSpec::json_object() {
  return {Kind::kJsonSchema, R"({"type":"object"})", R"({"type":"object"})"};
}

Result<GrammarSpec> GrammarSpec::json_schema(const json::value& schema) {
  GOS_TRY(const CheckedSchema checked, check_schema(schema));
  // The options of the compiler (how much white space) travel inside the schema: true has no inside.
  const bool is_true = checked.schema.is_bool() && checked.schema.get_bool();
  std::string text = is_true ? "{}" : json::serialize(with_names_apart(checked.schema));
  if (text.size() > kMaxCompiledBytes)
    return make_error(ErrorCode::kInvalidInput,
                      "the schema has {} bytes when its formats and references are written out, "
                      "and {} are the most",
                      text.size(), kMaxCompiledBytes);
  return GrammarSpec{Kind::kJsonSchema, std::move(text), json::serialize(schema)};
}

Result<GrammarSpec> GrammarSpec::regex(const std::string& expression) {
  GOS_TRY_STATUS(check_text(expression, "regular expression"));
  return GrammarSpec{Kind::kRegex, without_anchors(expression)};
}

Result<GrammarSpec> GrammarSpec::choice(const std::vector<std::string>& texts) {
  if (texts.empty() || texts.size() > kMaxChoices)
    return make_error(ErrorCode::kInvalidInput, "a choice is among 1 to {} texts, not {}", kMaxChoices, texts.size());
  std::string expression;
  size_t bytes = 0;
  for (const std::string& text : texts) {
    if (text.empty() || !utf8_valid(text))
      return make_error(ErrorCode::kInvalidInput, "a choice has a text that is empty or not well-formed UTF-8");
    bytes += text.size();
    expression += (expression.empty() ? "(" : "|") + escaped(text);
  }
  if (bytes > kMaxTextBytes)
    return make_error(ErrorCode::kInvalidInput, "the texts of a choice have {} bytes, and {} are the most", bytes,
                      kMaxTextBytes);
  return GrammarSpec{Kind::kRegex, expression + ")"};
}

Result<GrammarSpec> GrammarSpec::lark(std::string text) {
  GOS_TRY_STATUS(check_text(text, "grammar"));
  return GrammarSpec{Kind::kLark, std::move(text)};
}

Result<GrammarSpec> GrammarSpec::gbnf(const std::string& text) {
  GOS_TRY_STATUS(check_text(text, "grammar"));
  GOS_TRY(std::string converted, lark_from_gbnf(text));
  return GrammarSpec{Kind::kLark, std::move(converted)};
}

}  // namespace gossamer::grammar
