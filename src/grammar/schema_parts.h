#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "grammar/schema_pointer.h"

namespace gossamer::grammar {

/// What the value of a keyword holds: a schema, schemas by names, a list of them, or none.
enum class Holds : uint8_t { kNoSchema, kSchema, kMap, kList };

inline Holds what_holds(std::string_view keyword) {
  for (std::string_view one : {"additionalProperties", "items"})
    if (keyword == one) return Holds::kSchema;
  for (std::string_view map : {"properties", "patternProperties", "$defs", "definitions"})
    if (keyword == map) return Holds::kMap;
  for (std::string_view list : {"anyOf", "oneOf", "allOf", "prefixItems"})
    if (keyword == list) return Holds::kList;
  return Holds::kNoSchema;
}

/// visit(where, part) for each schema directly within `schema`, an object.
template <class Schema, class Visit>
void for_each_part(Schema& schema, Visit&& visit) {
  for (auto& [key, value] : schema.as_object()) {
    const std::string where = pointer_piece(key);
    const Holds holds = what_holds(key);
    if (holds == Holds::kSchema) visit(where, value);
    if (holds == Holds::kMap && value.is_object())
      for (auto& [name, part] : value.as_object()) visit(where + pointer_piece(name), part);
    if (holds == Holds::kList && value.is_array())
      for (size_t i = 0; i < value.as_array().size(); ++i) visit(where + "/" + std::to_string(i), value.as_array()[i]);
  }
}

}  // namespace gossamer::grammar
