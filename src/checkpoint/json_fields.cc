#include "checkpoint/json_fields.h"

#include <cmath>
#include <limits>

#include "checkpoint/shape.h"

namespace gossamer {

std::string json_excerpt(const json::value& value) {
  if (const double* number = value.if_double()) return fmt::format("{}", *number);
  return excerpt(json::serialize(value));
}

JsonFields::JsonFields(const json::value& object, std::string_view what, std::string_view prefix)
    : object_(object), what_(what), prefix_(prefix) {
  if (object.is_object()) return;
  if (prefix.empty()) {
    fail(make_error(ErrorCode::kInvalidInput, "{} is not a JSON object", what_));
  } else {
    fail(make_error(ErrorCode::kInvalidInput, "{}: {} is {}, not an object", what_, prefix.substr(0, prefix.size() - 1),
                    json_excerpt(object)));
  }
}

const json::value* JsonFields::find(std::string_view name) const {
  const json::value* value = find_member(object_, name);
  return value && !value->is_null() ? value : nullptr;
}

const json::value* JsonFields::require(std::initializer_list<std::string_view> names, std::string_view& found) {
  if (!status_.ok()) return nullptr;
  for (std::string_view name : names) {
    found = name;
    if (const json::value* value = find(name)) return value;
  }
  fail(make_error(ErrorCode::kInvalidInput, "{} has no {}{}", what_, prefix_, fmt::join(names, " or ")));
  return nullptr;
}

void JsonFields::fail_type(std::string_view name, const json::value& value, std::string_view wanted) {
  fail(make_error(ErrorCode::kInvalidInput, "{}: {}{} is {}, not {}", what_, prefix_, name, json_excerpt(value),
                  wanted));
}

uint32_t JsonFields::count(std::initializer_list<std::string_view> names) {
  std::string_view name;
  const json::value* value = require(names, name);
  if (!value) return 0;
  boost::system::error_code failure;
  const auto number = value->to_number<uint32_t>(failure);
  if (!failure) return number;
  fail_type(name, *value, "a whole number from 0 to 4294967295");
  return 0;
}

float JsonFields::number(std::initializer_list<std::string_view> names) {
  std::string_view name;
  const json::value* value = require(names, name);
  if (!value) return 0;
  boost::system::error_code failure;
  const double number = value->to_number<double>(failure);
  if (!failure && std::abs(number) <= static_cast<double>(std::numeric_limits<float>::max()))
    return static_cast<float>(number);
  fail_type(name, *value, "a number that fits 32 bits");
  return 0;
}

float JsonFields::number_or(std::string_view name, float fallback) {
  return has(name) ? number({name}) : fallback;
}

bool JsonFields::boolean_or(std::string_view name, bool fallback) {
  const json::value* value = find(name);
  if (!value) return fallback;
  if (const bool* boolean = value->if_bool()) return *boolean;
  fail_type(name, *value, "true or false");
  return fallback;
}

std::string JsonFields::text_or(std::string_view name, std::string_view fallback) {
  const json::value* value = find(name);
  if (!value) return std::string(fallback);
  if (const json::string* text = value->if_string()) return std::string(*text);
  fail_type(name, *value, "a string");
  return std::string(fallback);
}

}  // namespace gossamer
