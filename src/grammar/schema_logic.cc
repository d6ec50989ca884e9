#include "grammar/schema_logic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace gossamer::grammar {
namespace {

constexpr ExactNumber kInfinity = std::numeric_limits<ExactNumber>::infinity();
constexpr ExactNumber kRounding = 1e-6L;  // of a quotient; what is nearer to a whole number counts as one

uint8_t type_bits(std::string_view name) {
  if (name == "null") return kNull;
  if (name == "boolean") return kBoolean;
  if (name == "integer") return kInteger;
  if (name == "number") return kInteger | kFraction;
  if (name == "string") return kString;
  if (name == "array") return kArray;
  return kObject;
}

uint8_t type_of(const json::value& value) {
  if (value.is_null()) return kNull;
  if (value.is_bool()) return kBoolean;
  if (value.is_string()) return kString;
  if (value.is_array()) return kArray;
  if (value.is_object()) return kObject;
  const ExactNumber number = exact_number(value);
  return number == std::floor(number) ? kInteger : kFraction;
}

bool same(const json::value& a, const json::value& b) {
  return a.is_number() && b.is_number() ? exact_number(a) == exact_number(b) : a == b;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The strictest of a keyword that counts.
uint64_t largest(const SchemaLogic::Conjunction& all, std::string_view keyword) {
  uint64_t count = 0;
  for (const json::object* part : all.parts)
    if (const json::value* value = part->if_contains(keyword)) count = std::max(count, value->to_number<uint64_t>());
  return count;
}

uint64_t smallest(const SchemaLogic::Conjunction& all, std::string_view keyword) {
  uint64_t count = std::numeric_limits<uint64_t>::max();
  for (const json::object* part : all.parts)
    if (const json::value* value = part->if_contains(keyword)) count = std::min(count, value->to_number<uint64_t>());
  return count;
}

struct Range {
  ExactNumber low = -kInfinity, high = kInfinity;
  bool low_is_out = false, high_is_out = false;

  void raise(ExactNumber bound, bool is_out) {
    if (bound > low || (bound == low && is_out)) low = bound, low_is_out = is_out;
  }
  void lower(ExactNumber bound, bool is_out) {
    if (bound < high || (bound == high && is_out)) high = bound, high_is_out = is_out;
  }
};

Range range_of(const SchemaLogic::Conjunction& all) {
  Range range;
  for (const json::object* part : all.parts) {
    if (const json::value* bound = part->if_contains("minimum")) range.raise(exact_number(*bound), false);
    if (const json::value* bound = part->if_contains("exclusiveMinimum")) range.raise(exact_number(*bound), true);
    if (const json::value* bound = part->if_contains("maximum")) range.lower(exact_number(*bound), false);
    if (const json::value* bound = part->if_contains("exclusiveMaximum")) range.lower(exact_number(*bound), true);
  }
  return range;
}

/// The names that are required.
std::set<std::string_view> required_of(const SchemaLogic::Conjunction& all) {
  std::set<std::string_view> names;
  for (const json::object* part : all.parts)
    if (const json::value* required = part->if_contains("required"))
      for (const json::value& name : required->get_array()) names.insert(name.get_string());
  return names;
}

}  // namespace

uint8_t types_of(const json::object& schema) {
  const json::value* type = schema.if_contains("type");
  if (!type) return kAnyType;
  if (type->is_string()) return type_bits(type->get_string());
  uint8_t types = 0;
  for (const json::value& name : type->get_array()) types |= type_bits(name.get_string());
  return types;
}

const json::value* find_reference(const json::value& root, std::string_view reference) {
  boost::system::error_code failure;
  return root.find_pointer(reference.substr(1), failure);
}

void SchemaLogic::add(const json::value& schema, Conjunction& all) {
  if (steps_left_-- <= 0) return;
  if (schema.is_bool()) {
    all.is_false |= !schema.get_bool();
    return;
  }
  const json::object& part = schema.get_object();
  if (std::find(all.parts.begin(), all.parts.end(), &part) != all.parts.end()) return;
  all.parts.push_back(&part);
  if (const json::value* reference = part.if_contains("$ref"))
    if (const json::value* target = find_reference(root_, reference->get_string())) add(*target, all);
  if (const json::value* list = part.if_contains("allOf"))
    for (const json::value& one : list->get_array()) add(one, all);
  for (const char* keyword : {"anyOf", "oneOf"})
    if (const json::value* list = part.if_contains(keyword)) all.choices.push_back(&list->get_array());
}

bool SchemaLogic::is_empty(const json::value& schema) {
  Conjunction all;
  add(schema, all);
  return is_empty(all);
}

bool SchemaLogic::is_empty(const Conjunction& all, int depth) {
  if (all.is_false) return true;
  if (depth <= 0 || (steps_left_ -= static_cast<int64_t>(all.parts.size()) + 1) <= 0) return false;
  uint8_t types = kAnyType;
  for (const json::object* part : all.parts) types &= types_of(*part);
  if (types == 0) return true;
  for (const json::object* part : all.parts) {
    const json::value* one = part->if_contains("const");
    const json::value* list = one ? nullptr : part->if_contains("enum");
    if (!one && !list) continue;
    const auto fits = [&](const json::value& value) {
      return std::none_of(all.parts.begin(), all.parts.end(), [&](const json::object* other) {
        return std::any_of(other->begin(), other->end(), [&](const json::key_value_pair& keyword) {
          const std::string_view key = keyword.key();
          if (other == part && key == (one ? "const" : "enum")) return false;  // it is one of these
          return keyword_refuses(*other, key, keyword.value(), value, depth);
        });
      });
    };
    return one ? !fits(*one) : std::none_of(list->get_array().begin(), list->get_array().end(), fits);
  }
  bool all_types_are_empty = true;
  for (int type = kNull; type <= kObject && all_types_are_empty; type *= 2)
    if ((types & type) != 0) all_types_are_empty = has_no_value(static_cast<uint8_t>(type), all, depth);
  return all_types_are_empty || every_choice_is_empty(all, depth);
}

bool SchemaLogic::has_no_value(uint8_t type, const Conjunction& all, int depth) {
  switch (type) {
    case kInteger:
    case kFraction:
      return has_no_number(type == kInteger, all);
    case kString:
      return largest(all, "minLength") > smallest(all, "maxLength");
    case kArray:
      return has_no_array(all, depth);
    case kObject:
      return has_no_object(all, depth);
    default:
      return false;
  }
}

bool SchemaLogic::has_no_number(bool is_integer, const Conjunction& all) const {
  Range range = range_of(all);
  if (is_integer) {
    if (range.low_is_out && range.low == std::floor(range.low)) range.low += 1;
    if (range.high_is_out && range.high == std::floor(range.high)) range.high -= 1;
    range.low = std::ceil(range.low);
    range.high = std::floor(range.high);
    if (range.low > range.high) return true;
  } else if (range.low > range.high || (range.low == range.high && (range.low_is_out || range.high_is_out ||
                                                                    range.low == std::floor(range.low)))) {
    return true;
  }
  for (const json::object* part : all.parts) {
    const json::value* multiple = part->if_contains("multipleOf");
    const std::optional<Decimal> step = multiple ? decimal_of(multiple->to_number<double>()) : std::nullopt;
    if (!step) continue;
    if (!is_integer && step->places == 0) return true;
    const ExactNumber length = is_integer ? step->whole_multiple() : step->value();
    if (std::ceil(range.low / length - kRounding) > std::floor(range.high / length + kRounding)) return true;
  }
  return false;
}

bool SchemaLogic::has_no_array(const Conjunction& all, int depth) {
  const uint64_t least = largest(all, "minItems");
  if (least > smallest(all, "maxItems")) return true;
  size_t fixed = 0;
  for (const json::object* part : all.parts)
    if (const json::value* prefix = part->if_contains("prefixItems"))
      fixed = std::max(fixed, prefix->get_array().size());
  for (size_t i = 0; i < std::min<uint64_t>(least, fixed + 1); ++i) {
    Conjunction item;
    for (const json::object* part : all.parts) {
      const json::value* prefix = part->if_contains("prefixItems");
      const json::value* items = part->if_contains("items");
      if (prefix && i < prefix->get_array().size())
        add(prefix->get_array()[i], item);
      else if (items)
        add(*items, item);
    }
    if (is_empty(item, depth - 1)) return true;
  }
  return false;
}

void SchemaLogic::add_property(const json::object& part, std::string_view name, Conjunction& all) {
  const json::value* properties = part.if_contains("properties");
  if (const json::value* property = properties ? properties->get_object().if_contains(name) : nullptr) {
    add(*property, all);
    return;
  }
  const json::value* others = part.if_contains("additionalProperties");
  if (others && !part.contains("patternProperties")) add(*others, all);
}

bool SchemaLogic::has_no_object(const Conjunction& all, int depth) {
  const std::set<std::string_view> required = required_of(all);
  const uint64_t least = largest(all, "minProperties"), most = smallest(all, "maxProperties");
  if (least > most || required.size() > most) return true;
  for (const json::object* part : all.parts) {
    const json::value* others = part->if_contains("additionalProperties");
    if (!others || !others->is_bool() || others->get_bool() || part->contains("patternProperties")) continue;
    const json::value* properties = part->if_contains("properties");
    if (least > (properties ? properties->get_object().size() : 0)) return true;
  }
  steps_left_ -= static_cast<int64_t>(required.size());
  for (std::string_view name : required) {
    Conjunction property;
    for (const json::object* part : all.parts) add_property(*part, name, property);
    if (is_empty(property, depth - 1)) return true;
  }
  return false;
}

bool SchemaLogic::every_choice_is_empty(const Conjunction& all, int depth) {
  for (size_t i = 0; i < all.choices.size(); ++i) {
    const bool no_alternative =
        std::all_of(all.choices[i]->begin(), all.choices[i]->end(), [&](const json::value& alternative) {
          Conjunction chosen = all;
          chosen.choices.erase(chosen.choices.begin() + static_cast<std::ptrdiff_t>(i));
          add(alternative, chosen);
          return is_empty(chosen, depth - kChoiceDepth);
        });
    if (no_alternative) return true;
  }
  return false;
}

bool SchemaLogic::refuses(const json::value& schema, const json::value& value, int depth) {
  if (depth <= 0 || steps_left_-- <= 0) return false;
  if (schema.is_bool()) return !schema.get_bool();
  const json::object& keywords = schema.get_object();
  return std::any_of(keywords.begin(), keywords.end(), [&](const json::key_value_pair& keyword) {
    return keyword_refuses(keywords, std::string_view(keyword.key()), keyword.value(), value, depth);
  });
}

bool SchemaLogic::keyword_refuses(const json::object& schema, std::string_view keyword, const json::value& operand,
                                  const json::value& value, int depth) {
  if (steps_left_-- <= 0) return false;
  const auto alternative_refuses = [&](const json::value& one) { return refuses(one, value, depth - 1); };
  if (keyword == "$ref") {
    const json::value* target = find_reference(root_, operand.get_string());
    return target && refuses(*target, value, depth - 1);
  }
  if (keyword == "type") return (types_of(schema) & type_of(value)) == 0;
  if (keyword == "const") return !same(operand, value);
  if (keyword == "enum") steps_left_ -= static_cast<int64_t>(operand.get_array().size());
  if (keyword == "enum")
    return std::none_of(operand.get_array().begin(), operand.get_array().end(),
                        [&](const json::value& one) { return same(one, value); });
  if (keyword == "allOf")
    return std::any_of(operand.get_array().begin(), operand.get_array().end(), alternative_refuses);
  if (keyword == "anyOf" || keyword == "oneOf")
    return std::all_of(operand.get_array().begin(), operand.get_array().end(), alternative_refuses);
  if (value.is_number()) {
    const ExactNumber number = exact_number(value);
    if (keyword == "minimum") return number < exact_number(operand);
    if (keyword == "exclusiveMinimum") return number <= exact_number(operand);
    if (keyword == "maximum") return number > exact_number(operand);
    if (keyword == "exclusiveMaximum") return number >= exact_number(operand);
    if (keyword != "multipleOf") return false;
    const ExactNumber quotient = number / exact_number(operand);
    return std::fabs(quotient - std::round(quotient)) > kRounding;
  }
  if (const json::string* text = value.if_string()) {
    if (keyword == "minLength") return characters(*text) < operand.to_number<uint64_t>();
    return keyword == "maxLength" && characters(*text) > operand.to_number<uint64_t>();
  }
  if (const json::array* list = value.if_array()) {
    if (keyword == "minItems") return list->size() < operand.to_number<uint64_t>();
    return keyword == "maxItems" && list->size() > operand.to_number<uint64_t>();
  }
  const json::object* object = value.if_object();
  if (!object) return false;
  if (keyword == "minProperties") return object->size() < operand.to_number<uint64_t>();
  if (keyword == "maxProperties") return object->size() > operand.to_number<uint64_t>();
  if (keyword == "required")
    return std::any_of(operand.get_array().begin(), operand.get_array().end(),
                       [&](const json::value& name) { return !object->contains(name.get_string()); });
  if (keyword != "properties") return false;
  return std::any_of(object->begin(), object->end(), [&](const json::key_value_pair& member) {
    const json::value* property = operand.get_object().if_contains(member.key());
    return property && refuses(*property, member.value(), depth - 1);
  });
}

}  // namespace gossamer::grammar
