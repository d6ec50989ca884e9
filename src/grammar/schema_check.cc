#include "grammar/schema_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "grammar/schema_pattern.h"

namespace gossamer::grammar {
namespace {

/// What the value of a keyword is.
enum class Shape : uint8_t {
  kAnnotation,  ///< says nothing about the text: left out
  kSchema,      ///< one schema
  kSchemaMap,   ///< schemas by name
  kSchemaList,  ///< schemas
  kType,        ///< a type's name, or a list of them
  kAny,         ///< any value
  kEnum,        ///< a list of values
  kNames,       ///< a list of texts
  kNumber,      ///< a number
  kPositive,    ///< a number above 0
  kItemCount,   ///< a whole number up to kMaxSchemaItems
  kLength,      ///< a whole number up to kMaxSchemaLength
  kPattern,     ///< a regular expression
  kFormat,      ///< a name of kFormats
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
      {"const", Shape::kAny},
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
constexpr std::string_view kFormats[] = {"date-time", "date", "time", "duration", "email",
                                         "hostname",  "ipv4", "ipv6", "uuid",     "uri"};

template <size_t kSize>
bool is_one_of(std::string_view word, const std::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

/// A key as a piece of a JSON pointer (RFC 6901).
std::string pointer_piece(std::string_view key) {
  std::string piece = "/";
  for (const char character : key) {
    if (character == '~')
      piece += "~0";
    else if (character == '/')
      piece += "~1";
    else
      piece += character;
  }
  return piece;
}

/// "a%20b" -> "a b", as pointers in a $ref are written.
std::string without_percents(std::string_view text) {
  const auto hex = [](char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = high >= 0 ? hex(text[i + 2]) : -1;
    plain += low >= 0 ? static_cast<char>(high * 16 + low) : text[i];
    if (low >= 0) i += 2;
  }
  return plain;
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
  Status check_depth(const json::value& value, const std::string& place, uint32_t depth);
  Result<json::value> check_reference(const json::value& value, const std::string& schema_place,
                                      const std::string& place);
  Status check_for_cycles() const;

  CheckedSchema checked_;
  uint32_t num_nodes_ = 0;
  std::set<std::string> schemas_;  // by pointer
  std::vector<Reference> references_;
  /// Schemas that apply at the same place of the text: a schema that leads to itself so says nothing.
  std::map<std::string, std::vector<std::string>> same_place_;
};

/// The compiler lets every minute have a leap second, and validators none but the last one of a day.
void forbid_leap_seconds(json::object& schema) {
  constexpr const char* kNoSecond60 = "^[^:]*:[^:]*:[0-5]";
  if (!schema.contains("pattern")) {
    schema["pattern"] = kNoSecond60;
    return;
  }
  json::value& all_of = schema["allOf"];
  if (!all_of.is_array()) all_of = json::array();
  all_of.get_array().push_back(json::object{{"pattern", kNoSecond60}});
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
  const json::value* format = checked.if_contains("format");
  if (format && (*format == "date-time" || *format == "time")) forbid_leap_seconds(checked);
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
    case Shape::kAny:
      GOS_TRY_STATUS(check_depth(value, place, depth));
      return value;
    case Shape::kEnum:
      if (!value.is_array() || value.get_array().empty()) return wrong_value(keyword, place, "a list of values");
      GOS_TRY_STATUS(check_depth(value, place, depth));
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
      return json::value(rust_pattern(value.get_string()));
    case Shape::kFormat:
      if (!value.is_string() || !is_one_of(value.get_string(), kFormats))
        return wrong_value(keyword, place, fmt::format("one of {}", fmt::join(kFormats, ", ")));
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
  if (keyword == "oneOf" && checked_.first_one_of.empty()) checked_.first_one_of = place;
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
  for (const auto& [name, schema] : value.get_object()) {
    const bool is_pattern = keyword == "patternProperties";
    const std::string here = place + pointer_piece(name);
    if (is_pattern) checked_.patterns.emplace_back(here, name);
    GOS_TRY(json::value checked, check_schema_at(schema, here, depth + 1));
    if (!map.emplace(is_pattern ? rust_pattern(name) : std::string(name), std::move(checked)).second)
      return make_error(ErrorCode::kInvalidInput, "the schema has the pattern at {} twice", here);
  }
  return json::value(std::move(map));
}

Result<json::value> Checker::check_number(std::string_view keyword, Shape shape, const json::value& value,
                                          const std::string& place) const {
  if (!value.is_number()) return wrong_value(keyword, place, "a number");
  const auto number = value.to_number<double>();
  if (shape == Shape::kNumber) return value;
  if (shape == Shape::kPositive) {
    if (number > 0) return value;
    return wrong_value(keyword, place, "above 0");
  }
  const uint64_t most = shape == Shape::kItemCount ? kMaxSchemaItems : kMaxSchemaLength;
  if (!(number >= 0) || number > static_cast<double>(most) ||
      number != static_cast<double>(static_cast<uint64_t>(number)))
    return wrong_value(keyword, place, fmt::format("a whole number from 0 to {}", most));
  return json::value(static_cast<uint64_t>(number));  // 3.0 is 3
}

Status Checker::check_type(const json::value& value, const std::string& place) const {
  const auto is_type = [](const json::value& name) { return name.is_string() && is_one_of(name.get_string(), kTypes); };
  const bool fits = is_type(value) || (value.is_array() && !value.get_array().empty() &&
                                       std::all_of(value.get_array().begin(), value.get_array().end(), is_type));
  if (fits) return {};
  return wrong_value("type", place, fmt::format("one of {}, or a list of these", fmt::join(kTypes, ", ")));
}

/// Of a value that the text may be.
Status Checker::check_depth(const json::value& value, const std::string& place, uint32_t depth) {
  GOS_TRY_STATUS(count_node(place));
  if (depth > kMaxSchemaDepth)
    return make_error(ErrorCode::kInvalidInput, "the schema is nested deeper than {} (at {})", kMaxSchemaDepth, place);
  if (const auto* array = value.if_array())
    for (const json::value& item : *array) GOS_TRY_STATUS(check_depth(item, place, depth + 1));
  if (const auto* object = value.if_object())
    for (const auto& member : *object) GOS_TRY_STATUS(check_depth(member.value(), place, depth + 1));
  return {};
}

Result<json::value> Checker::check_reference(const json::value& value, const std::string& schema_place,
                                             const std::string& place) {
  const bool is_local = value.is_string() && (value.get_string() == "#" || value.get_string().starts_with("#/"));
  if (!is_local)
    return wrong_value("$ref", place, "a place in this schema, as #/$defs/name: other documents are not read");
  const std::string target = without_percents(std::string_view(value.get_string()).substr(1));
  references_.push_back({place, target});
  same_place_[schema_place].push_back(target);
  return value;
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
