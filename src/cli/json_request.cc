#include "cli/json_request.h"

#include <limits>

#include "base/utf8.h"

namespace gossamer::cli {
namespace {

const json::value* find(const json::object& line, std::string_view key) {
  const json::value* value = line.if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

std::optional<uint64_t> whole_number(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<uint64_t>(value.get_int64());
  return std::nullopt;
}

/// The beginning of a value that is quoted in an error.
std::string excerpt(const json::value& value) {
  return utf8_lossy(json::serialize(value).substr(0, 80));
}

Error wrong_type(std::string_view key, std::string_view wanted, const json::value* got) {
  if (!got) return make_error(ErrorCode::kInvalidInput, "the field \"{}\" ({}) is missing", key, wanted);
  return make_error(ErrorCode::kInvalidInput, "the field \"{}\" must be {}, not {}", key, wanted, excerpt(*got));
}

}  // namespace

Result<std::string> text_field(const json::object& line, std::string_view key) {
  const json::value* value = find(line, key);
  if (!value || !value->is_string()) return wrong_type(key, "a text", value);
  return std::string(value->get_string());
}

Result<std::vector<TokenId>> tokens_field(const json::object& line, std::string_view key) {
  const json::value* value = find(line, key);
  if (!value || !value->is_array()) return wrong_type(key, "a list of token ids", value);
  std::vector<TokenId> tokens;
  tokens.reserve(value->get_array().size());
  for (const json::value& item : value->get_array()) {
    const std::optional<uint64_t> id = whole_number(item);
    if (!id || *id > std::numeric_limits<TokenId>::max())
      return make_error(ErrorCode::kInvalidInput, "\"{}\" holds {}, which is no token id", key, excerpt(item));
    tokens.push_back(static_cast<TokenId>(*id));
  }
  return tokens;
}

Result<std::optional<double>> number_field(const json::object& line, std::string_view key) {
  const json::value* value = find(line, key);
  if (!value) return std::optional<double>();
  if (!value->is_number()) return wrong_type(key, "a number", value);
  return std::optional<double>(value->to_number<double>());
}

Result<std::optional<uint64_t>> integer_field(const json::object& line, std::string_view key) {
  const json::value* value = find(line, key);
  if (!value) return std::optional<uint64_t>();
  const std::optional<uint64_t> number = whole_number(*value);
  if (!number) return wrong_type(key, "a whole number", value);
  return number;
}

json::array tokens_json(const std::vector<TokenId>& tokens) {
  return json::array(tokens.begin(), tokens.end());
}

}  // namespace gossamer::cli
