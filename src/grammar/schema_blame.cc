#include "grammar/schema_blame.h"

#include <string_view>

#include "grammar/schema_parts.h"
#include "grammar/schema_pointer.h"

namespace gossamer::grammar {
namespace {

constexpr char kWhole[] = "whole";  // among the "$defs" of a part: what its references refer to

/// Which keywords only say what others talk about: they are at fault where nothing else is.
bool is_subject(std::string_view keyword) {
  return keyword == "type" || keyword == "$ref" || what_holds(keyword) == Holds::kMap;
}

/// References to places in a document become references to places within its part kWhole.
void move_references(json::value& schema) {
  if (!schema.is_object()) return;
  if (json::value* reference = schema.get_object().if_contains("$ref"); reference && reference->is_string())
    *reference = "#/$defs/" + std::string(kWhole) + std::string(reference->get_string()).substr(1);
  for_each_part(schema, [](const std::string&, json::value& part) { move_references(part); });
}

class Search {
 public:
  Search(const json::value& schema, const WhyRefused& why_refused, const std::function<bool()>& is_late)
      : whole_(schema), why_refused_(why_refused), is_late_(is_late) {
    move_references(whole_);
  }

  /// In `part`, which is refused for `reason` and stands at `place`.
  SchemaBlame blame(const json::value& part, const std::string& place, const std::string& reason) {
    std::optional<SchemaBlame> within;
    for_each_part(part, [&](const std::string& where, const json::value& smaller) {
      if (within || !smaller.is_object() || is_late_()) return;
      if (why_refused_(alone(smaller)) == reason) within = blame(smaller, place + where, reason);
    });
    return within ? *within : SchemaBlame(blame_keyword(part, place));
  }

 private:
  SchemaBlame blame_keyword(const json::value& part, const std::string& place) {
    for (const bool subjects : {false, true}) {
      for (const auto& member : part.as_object()) {
        const std::string keyword(member.key());
        if (is_subject(keyword) != subjects || is_late_()) continue;
        json::value without = part;
        without.as_object().erase(keyword);
        if (!why_refused_(alone(without))) return {place + pointer_piece(keyword), keyword};
      }
    }
    return {place, ""};
  }

  /// `part` as a schema of its own.
  json::value alone(const json::value& part) const {
    json::value document = part;
    move_references(document);
    document.as_object()["$defs"] = json::object{{kWhole, whole_}};
    return document;
  }

  json::value whole_;
  const WhyRefused& why_refused_;
  const std::function<bool()>& is_late_;
};

}  // namespace

SchemaBlame find_blame(const json::value& schema, const std::string& reason, const WhyRefused& why_refused,
                       const std::function<bool()>& is_late) {
  if (!schema.is_object()) return {};
  return Search(schema, why_refused, is_late).blame(schema, "", reason);
}

}  // namespace gossamer::grammar
