#include "grammar/schema_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "grammar/schema_dialect.h"
#include "grammar/schema_logic.h"
#include "grammar/schema_number.h"
#include "grammar/schema_pattern.h"
#include "grammar/schema_pointer.h"
#include "grammar/schema_rules.h"
#include "grammar/string_format.h"

namespace gossamer::grammar {
namespace {

/// What the value of a keyword is.
enum class Shape : uint8_t {
  kAnnotation,  ///< says nothing about the text: left out
  kSchema,      ///< one schema
  kSchemaMap,   ///< schemas by name
  kSchemaList,  ///< schemas
  kType,        ///< a type's name, or a list of them
  kConst,       ///< any value that the compiler keeps
  kEnum,        ///< a list of such values
  kNames,       ///< a list of texts
  kNumber,      ///< a number
  kPositive,    ///< a number above 0
  kItemCount,   ///< a whole number up to kMaxSchemaItems
  kLength,      ///< a whole number up to kMaxSchemaLength
  kPattern,     ///< a regular expression
  kFormat,      ///< a name of string_format.h, or any where there is no text
  kReference,   ///< where another schema of this document stands
  kFalseOnly,   ///< false, which changes nothing; true is not supported
};

const std::map<std::string_view, Shape>& keywords() {
  static const std::map<std::string_view, Shape> known = {
      {"$schema", Shape::kAnnotation},
      {"$comment", Shape::kAnnotation},
      {"$id", Shape::kAnnotation},
      {"id", Shape::kAnnotation},
      {"title", Shape::kAnnotation},
      {"description", Shape::kAnnotation},
      {"default", Shape::kAnnotation},
      {"example", Shape::kAnnotation},
      {"examples", Shape::kAnnotation},
      {"deprecated", Shape::kAnnotation},
      {"readOnly", Shape::kAnnotation},
      {"writeOnly", Shape::kAnnotation},
      {"contentMediaType", Shape::kAnnotation},
      {"contentEncoding", Shape::kAnnotation},
      {"discriminator", Shape::kAnnotation},
      {"type", Shape::kType},
      {"const", Shape::kConst},
      {"enum", Shape::kEnum},
      {"anyOf", Shape::kSchemaList},
      {"oneOf", Shape::kSchemaList},
      {"allOf", Shape::kSchemaList},
      {"$ref", Shape::kReference},
      {"$defs", Shape::kSchemaMap},
      {"definitions", Shape::kSchemaMap},
      {"properties", Shape::kSchemaMap},
      {"patternProperties", Shape::kSchemaMap},
      {"additionalProperties", Shape::kSchema},
      {"required", Shape::kNames},
      {"minProperties", Shape::kItemCount},
      {"maxProperties", Shape::kItemCount},
      {"items", Shape::kSchema},
      {"prefixItems", Shape::kSchemaList},
      {"minItems", Shape::kItemCount},
      {"maxItems", Shape::kItemCount},
      {"uniqueItems", Shape::kFalseOnly},
      {"nullable", Shape::kFalseOnly},
      {"minLength", Shape::kLength},
      {"maxLength", Shape::kLength},
      {"pattern", Shape::kPattern},
      {"format", Shape::kFormat},
      {"minimum", Shape::kNumber},
      {"maximum", Shape::kNumber},
      {"exclusiveMinimum", Shape::kNumber},
      {"exclusiveMaximum", Shape::kNumber},
      {"multipleOf", Shape::kPositive},
  };
  return known;
}

constexpr std::string_view kTypes[] = {"null", "boolean", "integer", "number", "string", "array", "object"};

/// Numbers of so many bits, as OpenAPI and others write them: what "format" says beside "type": "integer".
struct IntegerFormat {
  std::string_view name;
  int64_t least, most;
};
constexpr IntegerFormat kIntegerFormats[] = {
    {"int8", -128, 127},
    {"int16", -32'768, 32'767},
    {"int32", -2'147'483'648, 2'147'483'647},
    {"int64", -kLargestBound, kLargestBound},
    {"uint8", 0, 255},
    {"uint16", 0, 65'535},
    {"uint32", 0, 4'294'967'295},
    {"uint64", 0, kLargestBound},
};
constexpr ExactNumber kLeastBound = 1e-100L;  // of those that are not 0: the compiler nests a bracket for each place

template <size_t kSize>
bool is_one_of(std::string_view word, const std::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

class Checker {
 public:
  Result<CheckedSchema> check(const json::value& schema) {
    GOS_TRY(checked_.schema, check_schema_at(schema, "", 0));
    for (const Reference& reference : references_)
      if (!schemas_.contains(reference.target))
        return make_error(ErrorCode::kInvalidInput, "\"$ref\" at {} refers to {}, where no schema stands",
                          reference.place, reference.target.empty() ? "#" : reference.target);
    GOS_TRY_STATUS(check_for_cycles());
    GOS_TRY_STATUS(check_rules(checked_.schema));
    checked_.schema = compiler_schema(checked_.schema);
    return std::move(checked_);
  }

 private:
  struct Reference {
    std::string place, target;
  };

  Error wrong_value(std::string_view keyword, const std::string& place, std::string_view wanted) const {
    return make_error(ErrorCode::kInvalidInput, "the schema's keyword \"{}\" at {} must be {}", keyword, place, wanted);
  }
  Status count_node(const std::string& place) {
    if (place.size() > kMaxPointerBytes)
      return make_error(ErrorCode::kInvalidInput, "the names that lead to {}... have more than {} bytes together",
                        place.substr(0, 64), kMaxPointerBytes);
    if (++num_nodes_ <= kMaxSchemaNodes) return {};
    return make_error(ErrorCode::kInvalidInput, "the schema has more than {} parts (at {})", kMaxSchemaNodes, place);
  }

  Result<json::value> check_schema_at(const json::value& schema, const std::string& place, uint32_t depth);
  Result<json::value> check_keyword(std::string_view keyword, Shape shape, const json::value& value,
                                    const std::string& schema_place, uint32_t depth);
  Result<json::value> check_list(std::string_view keyword, const json::value& value, const std::string& schema_place,
                                 uint32_t depth);
  Result<json::value> check_map(std::string_view keyword, const json::value& value, const std::string& place,
                                uint32_t depth);
  Result<json::value> check_number(std::string_view keyword, Shape shape, const json::value& value,
                                   const std::string& place) const;
  Status check_type(const json::value& value, const std::string& place) const;
  Result<json::value> check_bound(std::string_view keyword, const json::value& value, const std::string& place) const;
  Status apply_format(json::object& schema, const std::string& place) const;
  Status check_value(std::string_view keyword, const json::value& value, const std::string& place, uint32_t depth);
  Result<json::value> check_reference(const json::value& value, const std::string& schema_place,
                                      const std::string& place);
  Status check_for_cycles() const;

  CheckedSchema checked_;
  uint32_t num_nodes_ = 0;
  uint32_t num_embedded_ = 0;      // schemas around the one that is checked which have an "$id", the top aside
  std::set<std::string> schemas_;  // by pointer
  std::vector<Reference> references_;
  /// Schemas that apply at the same place of the text: a schema that leads to itself so says nothing.
  std::map<std::string, std::vector<std::string>> same_place_;
};

/// `pattern` beside what the schema has.
void add_pattern(json::object& schema, const std::string& pattern) {
  if (!schema.contains("pattern")) {
    schema["pattern"] = pattern;
    return;
  }
  json::value& all_of = schema["allOf"];
  if (!all_of.is_array()) all_of = json::array();
  all_of.get_array().push_back(json::object{{"pattern", pattern}});
}

/// From 2^53 on the next number is not one more, and check_bound() has moved the bound inwards: it is in the range.
void include_large_bound(json::object& schema, const char* exclusive, const char* inclusive, bool is_lower) {
  const json::value* bound = schema.if_contains(exclusive);
  if (!bound || std::fabs(exact_number(*bound)) < kTwoTo53) return;
  const json::value moved = *bound;
  schema.erase(exclusive);
  const json::value* other = schema.if_contains(inclusive);
  if (!other || (exact_number(*other) < exact_number(moved)) == is_lower) schema[inclusive] = moved;
}

/// The compiler has no integers above 2^63, and from 10^18 on no numbers without an end on the other side.
void bound_large_numbers(json::object& schema) {
  constexpr ExactNumber kLarge = 1e18L;
  include_large_bound(schema, "exclusiveMinimum", "minimum", true);
  include_large_bound(schema, "exclusiveMaximum", "maximum", false);
  const auto bound = [&](const char* keyword) {
    const json::value* value = schema.if_contains(keyword);
    return value ? exact_number(*value) : 0;
  };
  const bool has_low = schema.contains("minimum") || schema.contains("exclusiveMinimum");
  const bool has_high = schema.contains("maximum") || schema.contains("exclusiveMaximum");
  if (!has_high && std::max(bound("minimum"), bound("exclusiveMinimum")) >= kLarge) schema["maximum"] = kLargestBound;
  if (!has_low && std::min(bound("maximum"), bound("exclusiveMaximum")) <= -kLarge) schema["minimum"] = -kLargestBound;
}

/// Bounds of the number of properties that hold in any case: the compiler takes few others.
void drop_idle_counts(json::object& schema) {
  const json::value* properties = schema.if_contains("properties");
  const json::value* required = schema.if_contains("required");
  std::set<std::string_view> needed;
  if (required)
    for (const json::value& name : required->get_array()) needed.insert(std::string_view(name.get_string()));
  const json::value* least = schema.if_contains("minProperties");
  if (least && least->to_number<uint64_t>() <= needed.size()) schema.erase("minProperties");
  const json::value* others = schema.if_contains("additionalProperties");
  const bool is_closed = others && others->is_bool() && !others->get_bool() && !schema.contains("patternProperties");
  const uint64_t named = properties ? properties->get_object().size() : 0;
  const json::value* most = schema.if_contains("maxProperties");
  if (most && is_closed && named <= most->to_number<uint64_t>()) schema.erase("maxProperties");
}

/// "format" holds texts alone: where there are none it says how numbers are stored, if anything.
Status Checker::apply_format(json::object& schema, const std::string& place) const {
  const json::value* format = schema.if_contains("format");
  if (!format) return {};
  const std::string name(format->get_string());
  const uint8_t types = types_of(schema);
  if ((types & kString) == 0) {
    schema.erase("format");
    const auto* integers = std::find_if(std::begin(kIntegerFormats), std::end(kIntegerFormats),
                                        [&](const IntegerFormat& one) { return one.name == name; });
    if ((types & kFraction) != 0 || (types & kInteger) == 0 || integers == std::end(kIntegerFormats)) return {};
    if (!schema.contains("minimum") && !schema.contains("exclusiveMinimum")) schema["minimum"] = integers->least;
    if (!schema.contains("maximum") && !schema.contains("exclusiveMaximum")) schema["maximum"] = integers->most;
    return {};
  }
  const std::optional<StringFormat> known = string_format(name);
  if (!known) return wrong_value("format", place + "/format", fmt::format("one of {}", string_format_names()));
  if (known->kind == StringFormat::Kind::kCompiled) return {};
  schema.erase("format");
  if (known->kind == StringFormat::Kind::kPattern) add_pattern(schema, known->pattern);
  return {};
}

Result<json::value> Checker::check_schema_at(const json::value& schema, const std::string& place, uint32_t depth) {
  GOS_TRY_STATUS(count_node(place));
  if (depth > kMaxSchemaDepth)
    return make_error(ErrorCode::kInvalidInput, "the schema is nested deeper than {} (at {})", kMaxSchemaDepth, place);
  schemas_.insert(place);
  if (schema.is_bool()) return schema;
  if (!schema.is_object())
    return make_error(ErrorCode::kInvalidInput, "a schema must be an object, true or false, and at {} it is not",
                      place.empty() ? "its top" : place);
  // References within a part that has a name of its own start at that part.
  const bool is_embedded =
      !place.empty() && (schema.get_object().contains("$id") || schema.get_object().contains("id"));
  num_embedded_ += is_embedded;
  json::object checked;
  for (const auto& [key, value] : schema.get_object()) {
    const auto known = keywords().find(key);
    if (known == keywords().end()) {
      if (key.starts_with("x-")) continue;  // extensions, which describe
      return make_error(ErrorCode::kInvalidInput, "the schema's keyword \"{}\" at {} is not supported",
                        std::string_view(key), place + pointer_piece(key));
    }
    if (known->second == Shape::kAnnotation) continue;
    GOS_TRY(json::value kept, check_keyword(key, known->second, value, place, depth));
    if (known->second != Shape::kFalseOnly) checked[key] = std::move(kept);
  }
  num_embedded_ -= is_embedded;
  GOS_TRY_STATUS(apply_format(checked, place));
  bound_large_numbers(checked);
  drop_idle_counts(checked);
  return json::value(std::move(checked));
}

Result<json::value> Checker::check_keyword(std::string_view keyword, Shape shape, const json::value& value,
                                           const std::string& schema_place, uint32_t depth) {
  const std::string place = schema_place + pointer_piece(keyword);
  switch (shape) {
    case Shape::kSchema:
      return check_schema_at(value, place, depth + 1);
    case Shape::kSchemaMap:
      return check_map(keyword, value, place, depth);
    case Shape::kSchemaList:
      return check_list(keyword, value, schema_place, depth);
    case Shape::kType:
      GOS_TRY_STATUS(check_type(value, place));
      return value;
    case Shape::kConst:
      GOS_TRY_STATUS(check_value(keyword, value, place, depth));
      return value;
    case Shape::kEnum:
      if (!value.is_array() || value.get_array().empty()) return wrong_value(keyword, place, "a list of values");
      GOS_TRY_STATUS(check_value(keyword, value, place, depth));
      return value;
    case Shape::kNames:
      if (!value.is_array()) return wrong_value(keyword, place, "a list of names");
      for (const json::value& name : value.get_array()) {
        GOS_TRY_STATUS(count_node(place));
        if (!name.is_string()) return wrong_value(keyword, place, "a list of names");
      }
      return value;
    case Shape::kPattern:
      if (!value.is_string()) return wrong_value(keyword, place, "a regular expression");
      checked_.patterns.emplace_back(place, value.get_string());
      return value;
    case Shape::kFormat:
      if (!value.is_string()) return wrong_value(keyword, place, "the name of a format");
      return value;
    case Shape::kReference:
      return check_reference(value, schema_place, place);
    case Shape::kFalseOnly:
      if (!value.is_bool()) return wrong_value(keyword, place, "true or false");
      if (value.get_bool())
        return make_error(ErrorCode::kInvalidInput, "the schema's keyword \"{}\" at {} is not supported", keyword,
                          place);
      return value;
    default:
      return check_number(keyword, shape, value, place);
  }
}

Result<json::value> Checker::check_list(std::string_view keyword, const json::value& value,
                                        const std::string& schema_place, uint32_t depth) {
  const std::string place = schema_place + pointer_piece(keyword);
  if (!value.is_array() || value.get_array().empty()) return wrong_value(keyword, place, "a list of schemas");
  json::array list;
  for (size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string item_place = fmt::format("{}/{}", place, i);
    if (keyword != "prefixItems") same_place_[schema_place].push_back(item_place);
    GOS_TRY(json::value item, check_schema_at(value.get_array()[i], item_place, depth + 1));
    list.push_back(std::move(item));
  }
  return json::value(std::move(list));
}

Result<json::value> Checker::check_map(std::string_view keyword, const json::value& value, const std::string& place,
                                       uint32_t depth) {
  if (!value.is_object()) return wrong_value(keyword, place, "schemas by name");
  json::object map;
  std::set<std::string> patterns;
  for (const auto& [name, schema] : value.get_object()) {
    const std::string here = place + pointer_piece(name);
    if (keyword == "patternProperties") {
      checked_.patterns.emplace_back(here, name);
      if (!patterns.insert(rust_pattern(name)).second)
        return make_error(ErrorCode::kInvalidInput, "the schema has the pattern at {} twice", here);
    }
    GOS_TRY(json::value checked, check_schema_at(schema, here, depth + 1));
    map[name] = std::move(checked);
  }
  return json::value(std::move(map));
}

Result<json::value> Checker::check_number(std::string_view keyword, Shape shape, const json::value& value,
                                          const std::string& place) const {
  if (!value.is_number()) return wrong_value(keyword, place, "a number");
  const auto number = value.to_number<double>();
  if (shape == Shape::kNumber) return check_bound(keyword, value, place);
  if (shape == Shape::kPositive) {
    if (!(number > 0)) return wrong_value(keyword, place, "above 0");
    if (decimal_of(number)) return value;
    return wrong_value(keyword, place, "a number of at most 9 digits, places behind the point included");
  }
  const uint64_t most = shape == Shape::kItemCount ? kMaxSchemaItems : kMaxSchemaLength;
  if (!(number >= 0) || number > static_cast<double>(most) ||
      number != static_cast<double>(static_cast<uint64_t>(number)))
    return wrong_value(keyword, place, fmt::format("a whole number from 0 to {}", most));
  return json::value(static_cast<uint64_t>(number));  // 3.0 is 3
}

/// Bounds from 2^53 on move inwards to one that the compiler keeps.
Result<json::value> Checker::check_bound(std::string_view keyword, const json::value& value,
                                         const std::string& place) const {
  ExactNumber bound = exact_number(value);
  if (bound != 0 && std::fabs(bound) < kLeastBound)
    return wrong_value(keyword, place, "0, or have at most 100 places behind the point");
  const bool is_lower = keyword == "minimum" || keyword == "exclusiveMinimum";
  if (std::fabs(bound) >= kTwoTo53 && keyword.starts_with("exclusive")) bound += is_lower ? 1 : -1;
  const std::optional<ExactNumber> inner = inner_bound(bound, is_lower);
  if (!inner) return wrong_value(keyword, place, fmt::format("within {} of 0", kLargestBound));
  if (*inner == exact_number(value)) return value;
  return json::value(static_cast<int64_t>(*inner));
}

Status Checker::check_type(const json::value& value, const std::string& place) const {
  const auto is_type = [](const json::value& name) { return name.is_string() && is_one_of(name.get_string(), kTypes); };
  const bool fits = is_type(value) || (value.is_array() && !value.get_array().empty() &&
                                       std::all_of(value.get_array().begin(), value.get_array().end(), is_type));
  if (fits) return {};
  return wrong_value("type", place, fmt::format("one of {}, or a list of these", fmt::join(kTypes, ", ")));
}

/// Of a value that the text may be.
Status Checker::check_value(std::string_view keyword, const json::value& value, const std::string& place,
                            uint32_t depth) {
  GOS_TRY_STATUS(count_node(place));
  if (depth > kMaxSchemaDepth)
    return make_error(ErrorCode::kInvalidInput, "the schema is nested deeper than {} (at {})", kMaxSchemaDepth, place);
  if (value.is_number() && !is_kept_exactly(value))
    return make_error(ErrorCode::kInvalidInput,
                      "the schema's keyword \"{}\" at {} has the number {}: above 2^53 not all numbers can be kept "
                      "exactly, as this one; write it as a string",
                      keyword, place, json::serialize(value));
  if (const auto* array = value.if_array())
    for (const json::value& item : *array) GOS_TRY_STATUS(check_value(keyword, item, place, depth + 1));
  if (const auto* object = value.if_object())
    for (const auto& member : *object) GOS_TRY_STATUS(check_value(keyword, member.value(), place, depth + 1));
  return {};
}

Result<json::value> Checker::check_reference(const json::value& value, const std::string& schema_place,
                                             const std::string& place) {
  const bool is_local = value.is_string() && (value.get_string() == "#" || value.get_string().starts_with("#/"));
  if (!is_local)
    return wrong_value("$ref", place, "a place in this schema, as #/$defs/name: other documents are not read");
  if (num_embedded_ > 0)
    return wrong_value("$ref", place, "outside of parts with an \"$id\": a reference there starts at that part");
  const std::string target = without_percents(std::string_view(value.get_string()).substr(1));
  references_.push_back({place, target});
  same_place_[schema_place].push_back(target);
  return json::value("#" + target);
}

/// Visits each schema once; one that is met again while what it leads to is being visited leads to itself.
Status Checker::check_for_cycles() const {
  enum class Visit : uint8_t { kOpen, kDone };
  std::map<std::string_view, Visit> visits;
  struct Step {
    std::string_view place;
    size_t next = 0;
  };
  for (const auto& [start, leads_to] : same_place_) {
    if (visits.contains(start)) continue;
    std::vector<Step> path = {{start}};
    visits[start] = Visit::kOpen;
    while (!path.empty()) {
      Step& step = path.back();
      const auto found = same_place_.find(std::string(step.place));
      if (found == same_place_.end() || step.next == found->second.size()) {
        visits[step.place] = Visit::kDone;
        path.pop_back();
        continue;
      }
      const std::string_view next = found->second[step.next++];
      const auto visit = visits.find(next);
      if (visit == visits.end()) {
        visits[next] = Visit::kOpen;
        path.push_back({next});
      } else if (visit->second == Visit::kOpen) {
        return make_error(ErrorCode::kInvalidInput, "the schema at {} refers to itself without end",
                          next.empty() ? "its top" : next);
      }
    }
  }
  return {};
}

}  // namespace

Result<CheckedSchema> check_schema(const json::value& schema) {
  const size_t bytes = json::serialize(schema).size();
  if (bytes > kMaxSchemaBytes)
    return make_error(ErrorCode::kInvalidInput, "the schema has {} bytes, and {} are the most", bytes, kMaxSchemaBytes);
  return Checker().check(schema);
}

Result<json::value> parse_schema(std::string_view text) {
  return parse_json(text, "the schema");
}

}  // namespace gossamer::grammar
