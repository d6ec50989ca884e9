#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::grammar {

/// Bounds of a JSON schema: what is above is refused before anybody compiles it.
inline constexpr size_t kMaxSchemaBytes = 256 << 10;
inline constexpr uint32_t kMaxSchemaDepth = 64;
inline constexpr uint32_t kMaxSchemaNodes = 20'000;    ///< schemas and values of enum, all together
inline constexpr uint64_t kMaxSchemaItems = 10'000;    ///< minItems, maxItems, minProperties, maxProperties
inline constexpr uint64_t kMaxSchemaLength = 100'000;  ///< minLength, maxLength
inline constexpr size_t kMaxPointerBytes = 2048;       ///< of the names that lead to a part

/// A schema that was looked through.
struct CheckedSchema {
  /// For the compiler: without keywords that only describe, and nowhere wider than the schema that was checked.
  json::value schema;
  /// Expressions by the JSON pointers of their keywords ("/properties/zip/pattern"), for those who find one wrong.
  std::vector<std::pair<std::string, std::string>> patterns;
};

/// Looks through a schema: every keyword is known and honoured, or the error names it and where it stands, as a JSON
/// pointer. Errors: an unknown or unsupported keyword, one with a value of another type or a number that cannot be kept
/// exactly, a $ref to elsewhere or to itself, alternatives of a oneOf that may overlap, keywords that contradict each
/// other, a schema above the bounds.
Result<CheckedSchema> check_schema(const json::value& schema);

/// Of a text: also errors of its JSON. For people; servers have a value already.
Result<json::value> parse_schema(std::string_view text);

}  // namespace gossamer::grammar
