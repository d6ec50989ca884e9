#include "server/json_reader.h"

#include <cmath>

#include "base/utf8.h"
#include "harmony/json_text.h"

namespace gossamer::server {
namespace {

/// The beginning of a value that is quoted in an error.
std::string excerpt(const json::value& value) {
  constexpr size_t kLongest = 60;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  const std::string text = harmony::compact_json(value);
  return text.size() <= kLongest ? text : utf8_lossy(text.substr(0, kLongest)) + "...";
}

/// "2", "0.5": a border without a tail of zeros.
std::string number_text(double value) {
  return fmt::format("{:g}", value);
}

std::optional<int64_t> whole_value(const json::value& value) {
  if (const auto* number = value.if_int64()) return *number;
  if (const auto* number = value.if_uint64())
    return *number <= INT64_MAX ? std::optional(static_cast<int64_t>(*number)) : INT64_MAX;
  if (const auto* number = value.if_double(); number && std::trunc(*number) == *number && std::fabs(*number) < 9e15)
    return static_cast<int64_t>(*number);
  return std::nullopt;
}

}  // namespace

const json::value* JsonReader::any(std::string_view key) const {
  const json::value* value = object_->if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

std::string JsonReader::place(std::string_view key) const {
  return place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key);
}

void JsonReader::fail(ApiError error) {
  if (ok()) *root_ = std::move(error);
}

void JsonReader::fail(std::string_view key, std::string message) {
  fail(bad_request(place(key), std::move(message)));
}

void JsonReader::wrong_type(std::string_view key, std::string_view wanted) {
  fail(key, fmt::format("\"{}\" must be {}, not {}", place(key), wanted, excerpt(*any(key))));
}

std::optional<std::string> JsonReader::text(std::string_view key) {
  const json::value* value = any(key);
  if (!value) return std::nullopt;
  if (const json::string* text = value->if_string()) return std::string(*text);
  wrong_type(key, "a text");
  return std::nullopt;
}

std::optional<bool> JsonReader::boolean(std::string_view key) {
  const json::value* value = any(key);
  if (!value) return std::nullopt;
  if (const bool* flag = value->if_bool()) return *flag;
  wrong_type(key, "true or false");
  return std::nullopt;
}

std::optional<double> JsonReader::number(const NumberField& field) {
  const json::value* value = any(field.name);
  if (!value) return std::nullopt;
  if (!value->is_number()) {
    wrong_type(field.name, "a number");
    return std::nullopt;
  }
  const double number = value->to_number<double>();
  if (number >= field.min && number <= field.max) return number;
  fail(field.name, fmt::format("\"{}\" is {}, it must lie between {} and {}", place(field.name), number_text(number),
                               number_text(field.min), number_text(field.max)));
  return std::nullopt;
}

std::optional<int64_t> JsonReader::whole(const WholeField& field) {
  const json::value* value = any(field.name);
  if (!value) return std::nullopt;
  const std::optional<int64_t> number = whole_value(*value);
  if (!number) {
    wrong_type(field.name, "a whole number");
    return std::nullopt;
  }
  if (*number >= field.min && *number <= field.max) return number;
  fail(field.name,
       fmt::format("\"{}\" is {}, it must lie between {} and {}", place(field.name), *number, field.min, field.max));
  return std::nullopt;
}

const json::array* JsonReader::array(std::string_view key) {
  const json::value* value = any(key);
  if (!value) return nullptr;
  if (const json::array* array = value->if_array()) return array;
  wrong_type(key, "a list");
  return nullptr;
}

const json::object* JsonReader::object(std::string_view key) {
  const json::value* value = any(key);
  if (!value) return nullptr;
  if (const json::object* object = value->if_object()) return object;
  wrong_type(key, "an object");
  return nullptr;
}

std::vector<std::string> JsonReader::texts(std::string_view key, size_t max_items) {
  const json::value* value = any(key);
  if (!value) return {};
  if (const json::string* text = value->if_string()) return {std::string(*text)};
  const json::array* items = value->if_array();
  if (!items) {
    wrong_type(key, "a text or a list of texts");
    return {};
  }
  if (items->size() > max_items) {
    fail(key, fmt::format("\"{}\" has {} items, at most {} are allowed", place(key), items->size(), max_items));
    return {};
  }
  std::vector<std::string> texts;
  for (const json::value& item : *items) {
    if (const json::string* text = item.if_string()) {
      texts.emplace_back(*text);
    } else {
      fail(key, fmt::format("\"{}\" holds {}, which is no text", place(key), excerpt(item)));
      return {};
    }
  }
  return texts;
}

}  // namespace gossamer::server
