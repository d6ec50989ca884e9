#include "grammar/schema_names.h"

#include <algorithm>
#include <utility>

#include "grammar/schema_parts.h"

namespace gossamer::grammar {
namespace {

constexpr char kEscapesOfOneWay[] = "nrbtf\\\"";  // all but u and /

/// Whether `keyword` stands in any schema within `schema`.
bool is_anywhere(const json::value& schema, std::string_view keyword) {
  if (!schema.is_object()) return false;
  bool is_there = schema.get_object().contains(keyword);
  for_each_part(
      schema, [&](const std::string&, const json::value& part) { is_there = is_there || is_anywhere(part, keyword); });
  return is_there;
}

/// Whether a name has more than one way of writing even without those that nobody uses: "\n" and "\u000a".
bool has_control_character(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; });
}

class Separator {
 public:
  explicit Separator(bool has_patterns) : has_patterns_(has_patterns) {}

  void visit(json::value& schema) {
    if (!schema.is_object()) return;
    separate(schema.get_object());
    for_each_part(schema, [&](const std::string&, json::value& part) { visit(part); });
  }
  /// Some names are not apart but by what texts may be.
  bool needs_one_way() const { return needs_one_way_; }

 private:
  void separate(json::object& schema) {
    const json::value* declared = schema.if_contains("properties");
    if (!declared || declared->get_object().empty()) return;
    const json::value* others = schema.if_contains("additionalProperties");
    const bool is_closed = others && others->is_bool() && !others->get_bool();
    if (is_closed && !has_patterns_) return;
    for (const auto& member : declared->get_object()) needs_one_way_ |= has_control_character(member.key());
    if (is_closed) return;
    // Patterns hold for declared names too, and must not overlap: only one that allows everything stands for others.
    const bool may_be_anything = !others || others->is_bool() || others->get_object().empty();
    if (!may_be_anything || has_patterns_) {
      needs_one_way_ = true;
      return;
    }
    schema["patternProperties"] = json::object{{"", true}};
    schema["additionalProperties"] = false;
  }

  bool has_patterns_;
  bool needs_one_way_ = false;
};

}  // namespace

json::value with_names_apart(json::value schema) {
  Separator separator(is_anywhere(schema, "patternProperties"));
  separator.visit(schema);
  if (separator.needs_one_way())
    schema.get_object()["x-guidance"] = json::object{{"json_allowed_escapes", kEscapesOfOneWay}};
  return schema;
}

}  // namespace gossamer::grammar
