#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace gossamer {

/// A JSON value as it may stand in a sentence.
std::string json_excerpt(const json::value& value);

/// Reads the fields of one JSON object. The first fault is kept and later calls return zeros, so that a config reads as
/// a list of its fields; ask status() at the end. A field that is null counts as absent.
class JsonFields {
 public:
  /// `object` must live as long as this. `what` names the file in errors; `prefix` stands before the names of fields
  /// there
  /// ("rope_scaling." for an inner object).
  JsonFields(const json::value& object, std::string_view what, std::string_view prefix = "");

  /// A required whole number from 0 to 2^32 - 1, under the first of `names` that is there.
  uint32_t count(std::initializer_list<std::string_view> names);
  /// A required finite number.
  float number(std::initializer_list<std::string_view> names);
  float number_or(std::string_view name, float fallback);
  bool boolean_or(std::string_view name, bool fallback);
  /// The text of a field, or `fallback` where it is absent.
  std::string text_or(std::string_view name, std::string_view fallback);

  /// nullptr where the field is absent or null.
  const json::value* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  const Status& status() const { return status_; }
  void fail(Error error) {
    if (status_.ok()) status_ = std::move(error);
  }

 private:
  const json::value* require(std::initializer_list<std::string_view> names, std::string_view& found);
  void fail_type(std::string_view name, const json::value& value, std::string_view wanted);

  const json::value& object_;
  std::string what_, prefix_;
  Status status_;
};

}  // namespace gossamer
