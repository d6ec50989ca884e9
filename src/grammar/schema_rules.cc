#include "grammar/schema_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/schema_logic.h"
#include "grammar/schema_pointer.h"

namespace gossamer::grammar {
namespace {

constexpr int64_t kMaxSteps = 2'000'000;  // of looking for contradictions: some tenths of a second

bool is_false(const json::value* schema) {
  return schema && schema->is_bool() && !schema->get_bool();
}

class RuleChecker {
 public:
  explicit RuleChecker(const json::value& root) : logic_(root, kMaxSteps) {}

  /// `beside`: the schemas that apply to the same value because this one is one of their alternatives or parts.
  Status check(const json::value& schema, const std::string& place, const std::vector<const json::value*>& beside);
  /// Of the whole document, when all of it was checked.
  Status check_multiples() const;

 private:
  Status check_children(const json::value& schema, const std::string& place,
                        const std::vector<const json::value*>& beside);
  Status check_one_of(const json::array& alternatives, const SchemaLogic::Conjunction& all, const std::string& place);
  Status check_counts(const json::object& schema, const SchemaLogic::Conjunction& all, const std::string& place) const;
  Status check_something_fits(const json::value& schema, const std::string& place);
  void note_multiples(const json::object& schema, const std::string& place);

  SchemaLogic logic_;
  std::vector<std::pair<std::string, Decimal>> multiples_;  // by place
  bool numbers_may_meet_ = false;                           // two schemas of numbers may apply to one value
};

Status RuleChecker::check(const json::value& schema, const std::string& place,
                          const std::vector<const json::value*>& beside) {
  if (!schema.is_object()) return {};
  GOS_TRY_STATUS(check_children(schema, place, beside));
  const json::object& keywords = schema.get_object();
  note_multiples(keywords, place);
  SchemaLogic::Conjunction all;
  for (const json::value* other : beside) logic_.add(*other, all);
  logic_.add(schema, all);
  all.choices.clear();  // what follows decides without them
  if (const json::value* one_of = keywords.if_contains("oneOf"))
    GOS_TRY_STATUS(check_one_of(one_of->get_array(), all, place + "/oneOf"));
  GOS_TRY_STATUS(check_counts(keywords, all, place));
  return check_something_fits(schema, place);
}

Status RuleChecker::check_children(const json::value& schema, const std::string& place,
                                   const std::vector<const json::value*>& beside) {
  for (const auto& [key, value] : schema.get_object()) {
    const std::string_view keyword = key;
    const std::string here = place + pointer_piece(keyword);
    const bool applies_here = keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf";
    std::vector<const json::value*> inner;
    if (applies_here) {
      inner = beside;
      inner.push_back(&schema);
    }
    if (applies_here || keyword == "prefixItems") {
      for (size_t i = 0; i < value.get_array().size(); ++i)
        GOS_TRY_STATUS(check(value.get_array()[i], fmt::format("{}/{}", here, i), inner));
    } else if (keyword == "properties" || keyword == "patternProperties" || keyword == "$defs" ||
               keyword == "definitions") {
      for (const auto& [name, one] : value.get_object()) GOS_TRY_STATUS(check(one, here + pointer_piece(name), inner));
    } else if (keyword == "items" || keyword == "additionalProperties") {
      GOS_TRY_STATUS(check(value, here, inner));
    }
  }
  return {};
}

Status RuleChecker::check_one_of(const json::array& alternatives, const SchemaLogic::Conjunction& all,
                                 const std::string& place) {
  for (size_t i = 0; i < alternatives.size(); ++i) {
    for (size_t j = i + 1; j < alternatives.size(); ++j) {
      SchemaLogic::Conjunction both = all;
      logic_.add(alternatives[i], both);
      logic_.add(alternatives[j], both);
      if (!logic_.is_empty(both))
        return make_error(ErrorCode::kInvalidInput,
                          "the schema's keyword \"oneOf\" at {} is not supported where its alternatives may overlap, "
                          "as {} and {} may: use anyOf, or give each a required property with a const of its own",
                          place, i, j);
    }
  }
  return {};
}

/// The compiler writes optional properties in all their combinations, and properties without a name of their own in the
/// schema one by one, not knowing those before: a second one may have the name of the first and not count.
Status RuleChecker::check_counts(const json::object& schema, const SchemaLogic::Conjunction& all,
                                 const std::string& place) const {
  const json::value* least = schema.if_contains("minProperties");
  const json::value* most = schema.if_contains("maxProperties");
  if ((!least && !most) || (types_of(schema) & kObject) == 0) return {};
  if (logic_.is_spent())
    return make_error(ErrorCode::kInvalidInput, "the schema's keyword \"{0}\" at {1}/{0} stands among too many parts",
                      least ? "minProperties" : "maxProperties", place);
  std::set<std::string_view> required, optional;
  bool has_patterns = false, is_closed = false;
  for (const json::object* part : all.parts) {
    if (const json::value* names = part->if_contains("required"))
      for (const json::value& name : names->get_array()) required.insert(name.get_string());
    if (const json::value* properties = part->if_contains("properties"))
      for (const auto& [name, property] : properties->get_object())
        if (!is_false(&property)) optional.insert(std::string_view(name));
    has_patterns |= part->contains("patternProperties");
    is_closed |= is_false(part->if_contains("additionalProperties"));
  }
  for (std::string_view name : required) optional.erase(name);
  const uint64_t others_wanted =
      least ? least->to_number<uint64_t>() - std::min<uint64_t>(least->to_number<uint64_t>(), required.size()) : 0;
  const bool only_named = is_closed && !has_patterns;
  const bool is_one = others_wanted <= 1 && (!most || most->to_number<uint64_t>() == required.size() + 1);
  if (!optional.empty() && (others_wanted > 0 || most) && !(is_one && only_named))
    return make_error(ErrorCode::kInvalidInput,
                      "the schema's keyword \"{0}\" at {1}/{0} is not supported beside optional properties, as \"{2}\" "
                      "is: name all of them in \"required\"",
                      others_wanted > 0 ? "minProperties" : "maxProperties", place, *optional.begin());
  if (others_wanted > 1 && !only_named)
    return make_error(
        ErrorCode::kInvalidInput,
        "the schema's keyword \"minProperties\" at {}/minProperties is {} and {} properties are required: "
        "more than one property without a name in \"required\" cannot be asked for",
        place, least->to_number<uint64_t>(), required.size());
  return {};
}

Status RuleChecker::check_something_fits(const json::value& schema, const std::string& place) {
  if (!logic_.is_empty(schema)) return {};
  // Without which of them something would? A type is the last to be wrong.
  std::string culprit;
  for (const auto& member : schema.get_object()) {
    const std::string_view keyword = member.key();
    if (!culprit.empty() && keyword == "type") continue;
    json::object without = schema.get_object();
    without.erase(keyword);
    if (logic_.is_empty(json::value(std::move(without)))) continue;
    culprit = keyword;
    if (keyword != "type") break;
  }
  if (culprit.empty()) culprit = std::string(schema.get_object().begin()->key());
  return make_error(ErrorCode::kInvalidInput,
                    "nothing fits the schema at {}: its keyword \"{}\" at {}{} contradicts what stands beside it",
                    place.empty() ? "its top" : place, culprit, place, pointer_piece(culprit));
}

void RuleChecker::note_multiples(const json::object& schema, const std::string& place) {
  if (const json::value* multiple = schema.if_contains("multipleOf"))
    if (const auto decimal = decimal_of(multiple->to_number<double>()))
      multiples_.emplace_back(place + "/multipleOf", *decimal);
  size_t num_others = 0;
  bool has_applicator = schema.contains("patternProperties");
  for (const auto& member : schema) {
    const std::string_view keyword = member.key();
    if (keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf" || keyword == "$ref") {
      has_applicator = true;
      num_others += keyword == "allOf" && member.value().get_array().size() > 1;
    }
    num_others += keyword != "type" && keyword != "$defs" && keyword != "definitions";
  }
  numbers_may_meet_ |= has_applicator && num_others > 1;
}

Status RuleChecker::check_multiples() const {
  if (!numbers_may_meet_ || multiples_.empty()) return {};
  Decimal all = multiples_.front().second;
  for (size_t i = 1; i < multiples_.size(); ++i) {
    const std::optional<Decimal> next = common_multiple(all, multiples_[i].second);
    if (!next)
      return make_error(
          ErrorCode::kInvalidInput,
          "the schema's keyword \"multipleOf\" at {} and the one at {} have no common multiple below 2^32",
          multiples_[i].first, multiples_[i - 1].first);
    all = *next;
  }
  return {};
}

}  // namespace

Status check_rules(const json::value& schema) {
  RuleChecker checker(schema);
  GOS_TRY_STATUS(checker.check(schema, "", {}));
  return checker.check_multiples();
}

}  // namespace gossamer::grammar
