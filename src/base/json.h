#pragma once
/// JSON is Boost.JSON, compiled once in json.cc: it keeps the order of keys (tool schemas render in order) and checks
/// UTF-8.

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gossamer {

namespace json = boost::json;

/// Parses one JSON document. Depth is capped at 128; trailing text is an error. Numbers that are no 64-bit integers are
/// the nearest double, and one too large for that is an error: what is read can be written. The sentence names `what`
/// (a file, a field) and the byte offset.
Result<json::value> parse_json(std::string_view text, std::string_view what);

/// The member `key` of an object, or nullptr where the value is not an object or has no such member.
inline const json::value* find_member(const json::value& value, std::string_view key) {
  const auto* object = value.if_object();
  return object ? object->if_contains(key) : nullptr;
}

}  // namespace gossamer
