#include "server/wished_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace gossamer::server {
namespace {

bool is_plain_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool holds(const json::value* list, std::string_view name) {
  return list && list->is_array() && std::ranges::find(list->get_array(), json::value(name)) != list->get_array().end();
}

/// The schema with its optional properties in any order. Grammars take properties in their order, so that a model which
/// writes the second first could never give the first.
json::object with_free_order(const json::object& schema) {
  const json::value* properties = schema.if_contains("properties");
  if (!properties || !properties->is_object() || schema.contains("patternProperties")) return schema;
  json::object in_order, in_any_order;
  for (const auto& [name, property] : properties->get_object()) {
    const bool may_move = is_plain_name(name) && !holds(schema.if_contains("required"), name);
    if (may_move)
      in_any_order[fmt::format("^{}$", std::string_view(name))] = property;
    else
      in_order[name] = property;
  }
  if (in_any_order.size() < 2) return schema;
  json::object freed = schema;
  freed["properties"] = std::move(in_order);
  freed["patternProperties"] = std::move(in_any_order);
  return freed;
}

}  // namespace

grammar::GrammarSpec wished_arguments(const json::value& schema) {
  using grammar::GrammarSpec;
  if (!schema.is_object()) return GrammarSpec::json_object();
  Result<GrammarSpec> spec = GrammarSpec::json_schema(with_free_order(schema.get_object()));
  if (!spec.ok()) spec = GrammarSpec::json_schema(schema);
  return spec.ok() ? std::move(*spec) : GrammarSpec::json_object();
}

}  // namespace gossamer::server
