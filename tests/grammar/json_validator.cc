#include "grammar/json_validator.h"

#include <cmath>
#include <regex>

namespace gossamer::grammar::testing {
namespace {

bool has_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "number") return value.is_number();
  if (type != "integer" || !value.is_number()) return false;
  return !value.is_double() || std::floor(value.get_double()) == value.get_double();
}

double number_of(const json::value& value) {
  return value.to_number<double>();
}

/// 1 and 1.0 are one value.
bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return number_of(a) == number_of(b);
  return a == b;
}

size_t characters(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

std::wstring characters_of(std::string_view text) {
  std::wstring wide;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80)
      wide.back() = static_cast<wchar_t>((wide.back() << 6) | (byte & 0x3F));
    else
      wide += static_cast<wchar_t>(byte < 0x80   ? byte
                                   : byte < 0xE0 ? byte & 0x1F
                                   : byte < 0xF0 ? byte & 0x0F
                                                 : byte & 7);
  }
  return wide;
}

/// As ECMA-262 has it: anywhere in the text.
bool matches(std::string_view pattern, std::string_view text) {
  return std::regex_search(characters_of(text), std::wregex(characters_of(pattern)));
}

class Validator {
 public:
  explicit Validator(const json::value& root) : root_(root) {}

  std::string check(const json::value& value, const json::value& schema) const {
    if (schema.is_bool()) return schema.get_bool() ? "" : "false fits nothing";
    const json::object& keywords = schema.get_object();
    for (const auto& [key, operand] : keywords) {
      std::string why = check_keyword(value, keywords, std::string_view(key), operand);
      if (!why.empty()) return why;
    }
    return "";
  }

 private:
  std::string fail(const json::value& value, std::string_view keyword) const {
    return json::serialize(value).substr(0, 200) + " against " + std::string(keyword);
  }

  std::string check_keyword(const json::value& value, const json::object& schema, std::string_view keyword,
                            const json::value& operand) const {
    if (keyword == "$ref") {
      const std::string pointer(std::string_view(operand.get_string()).substr(1));
      return check(value, pointer.empty() ? root_ : root_.at_pointer(pointer));
    }
    if (keyword == "type") {
      if (operand.is_string()) return has_type(value, operand.get_string()) ? "" : fail(value, keyword);
      for (const json::value& type : operand.get_array())
        if (has_type(value, type.get_string())) return "";
      return fail(value, keyword);
    }
    if (keyword == "const") return same(value, operand) ? "" : fail(value, keyword);
    if (keyword == "enum") {
      for (const json::value& one : operand.get_array())
        if (same(value, one)) return "";
      return fail(value, keyword);
    }
    if (keyword == "anyOf" || keyword == "oneOf" || keyword == "allOf") {
      size_t fits = 0;
      for (const json::value& one : operand.get_array()) fits += check(value, one).empty();
      const size_t all = operand.get_array().size();
      const bool good = keyword == "anyOf" ? fits > 0 : keyword == "oneOf" ? fits == 1 : fits == all;
      return good ? "" : fail(value, keyword);
    }
    if (value.is_number()) return check_number(value, keyword, operand);
    if (value.is_string()) return check_string(value, keyword, operand);
    if (value.is_array()) return check_array(value.get_array(), schema, keyword, operand);
    if (value.is_object()) return check_object(value.get_object(), schema, keyword, operand);
    return "";
  }

  std::string check_number(const json::value& value, std::string_view keyword, const json::value& operand) const {
    const double number = number_of(value);
    bool good = true;
    if (keyword == "minimum") good = number >= number_of(operand);
    if (keyword == "maximum") good = number <= number_of(operand);
    if (keyword == "exclusiveMinimum") good = number > number_of(operand);
    if (keyword == "exclusiveMaximum") good = number < number_of(operand);
    if (keyword == "multipleOf")
      good = std::abs(std::remainder(number, number_of(operand))) <= 1e-9 * std::max(1.0, std::abs(number));
    return good ? "" : fail(value, keyword);
  }

  std::string check_string(const json::value& value, std::string_view keyword, const json::value& operand) const {
    const std::string text(value.get_string());
    bool good = true;
    if (keyword == "minLength") good = characters(text) >= operand.to_number<size_t>();
    if (keyword == "maxLength") good = characters(text) <= operand.to_number<size_t>();
    if (keyword == "pattern") good = matches(operand.get_string(), text);
    return good ? "" : fail(value, keyword);
  }

  std::string check_array(const json::array& array, const json::object& schema, std::string_view keyword,
                          const json::value& operand) const {
    if (keyword == "minItems" && array.size() < operand.to_number<size_t>()) return fail(array, keyword);
    if (keyword == "maxItems" && array.size() > operand.to_number<size_t>()) return fail(array, keyword);
    const json::value* prefix = schema.if_contains("prefixItems");
    const size_t fixed = prefix ? prefix->get_array().size() : 0;
    for (size_t i = 0; i < array.size(); ++i) {
      std::string why;
      if (keyword == "prefixItems" && i < fixed) why = check(array[i], operand.get_array()[i]);
      if (keyword == "items" && i >= fixed) why = check(array[i], operand);
      if (!why.empty()) return why;
    }
    return "";
  }

  std::string check_object(const json::object& object, const json::object& schema, std::string_view keyword,
                           const json::value& operand) const {
    if (keyword == "minProperties" && object.size() < operand.to_number<size_t>()) return fail(object, keyword);
    if (keyword == "maxProperties" && object.size() > operand.to_number<size_t>()) return fail(object, keyword);
    if (keyword == "required")
      for (const json::value& name : operand.get_array())
        if (!object.contains(name.get_string())) return fail(object, "required " + std::string(name.get_string()));
    for (const auto& [name, member] : object) {
      std::string why;
      if (keyword == "properties")
        if (const json::value* property = operand.get_object().if_contains(name)) why = check(member, *property);
      if (keyword == "patternProperties")
        for (const auto& [pattern, property] : operand.get_object())
          if (matches(pattern, name)) why = check(member, property);
      if (keyword == "additionalProperties" && !is_declared(name, schema)) why = check(member, operand);
      if (!why.empty()) return std::string(name) + ": " + why;
    }
    return "";
  }

  static bool is_declared(std::string_view name, const json::object& schema) {
    const json::value* properties = schema.if_contains("properties");
    if (properties && properties->get_object().contains(name)) return true;
    if (const json::value* patterns = schema.if_contains("patternProperties"))
      for (const auto& [pattern, property] : patterns->get_object())
        if (matches(pattern, name)) return true;
    return false;
  }

  const json::value& root_;
};

}  // namespace

std::string why_it_does_not_fit(const json::value& value, const json::value& schema, const json::value& root) {
  return Validator(root).check(value, schema);
}

}  // namespace gossamer::grammar::testing
