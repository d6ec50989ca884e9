/// Which part of a schema is told to be at fault, asked of compilers that refuse one thing each.

#include "grammar/schema_blame.h"

#include <gtest/gtest.h>

#include "grammar/schema_check.h"

namespace gossamer::grammar {
namespace {

bool has(const json::value& schema, std::string_view keyword) {
  return schema.is_object() && schema.get_object().contains(keyword);
}

/// Refuses "minLength" beside "maxLength" in whatever the schema reaches, also over references.
std::optional<std::string> refuses_two_lengths(const json::value& document, const json::value& schema) {
  if (!schema.is_object()) return std::nullopt;
  if (has(schema, "minLength") && has(schema, "maxLength")) return "two lengths";
  if (const json::value* reference = schema.get_object().if_contains("$ref")) {
    boost::system::error_code ignored;
    const json::value* target = document.find_pointer(reference->get_string().subview(1), ignored);
    if (target) return refuses_two_lengths(document, *target);
  }
  for (const char* map : {"properties", "patternProperties"})
    if (has(schema, map))
      for (const auto& part : schema.at(map).as_object())
        if (auto why = refuses_two_lengths(document, part.value())) return why;
  for (const char* list : {"anyOf", "prefixItems"})
    if (has(schema, list))
      for (const auto& part : schema.at(list).as_array())
        if (auto why = refuses_two_lengths(document, part)) return why;
  if (has(schema, "items")) return refuses_two_lengths(document, schema.at("items"));
  return std::nullopt;
}

SchemaBlame blame_in(const std::string& text) {
  return find_blame(
      *parse_schema(text), "two lengths", [](const json::value& schema) { return refuses_two_lengths(schema, schema); },
      [] { return false; });
}

TEST(SchemaBlame, IsTheSmallestPartAndItsKeyword) {
  const std::string both = R"({"type":"string","maxLength":3,"minLength":4})";
  const struct {
    std::string schema, place, keyword;
  } rows[] = {
      {both, "/maxLength", "maxLength"},
      {R"({"properties":{"a":{"type":"string"},"b/c":)" + both + "}}", "/properties/b~1c/maxLength", "maxLength"},
      {R"({"items":{"anyOf":[{"minLength":1},)" + both + "]}}", "/items/anyOf/1/maxLength", "maxLength"},
      {R"({"$defs":{"d":)" + both + R"(},"items":{"$ref":"#/$defs/d"}})", "/$defs/d/maxLength", "maxLength"},
      {R"({"properties":{"a":true,"b":{"const":{"minLength":1,"maxLength":2}},"c":)" + both + "}}",
       "/properties/c/maxLength", "maxLength"},
      {R"({"properties":{"a":)" + both + R"(,"b":)" + both + "}}", "/properties/a/maxLength", "maxLength"},
  };
  for (const auto& row : rows) {
    const SchemaBlame blame = blame_in(row.schema);
    EXPECT_EQ(blame.place, row.place) << row.schema;
    EXPECT_EQ(blame.keyword, row.keyword) << row.schema;
  }
}

TEST(SchemaBlame, WithoutTimeIsTheSchemaItself) {
  const SchemaBlame blame = find_blame(
      *parse_schema(R"({"items":{"minLength":2,"maxLength":1}})"), "two lengths",
      [](const json::value& schema) { return refuses_two_lengths(schema, schema); }, [] { return true; });
  EXPECT_EQ(blame.place, "");
  EXPECT_EQ(blame.keyword, "");
}

TEST(SchemaBlame, IsASchemaWhereNoKeywordAloneIsAtFault) {
  const SchemaBlame blame = find_blame(
      *parse_schema(R"({"items":{"type":"string","minLength":2}})"), "everything",
      [](const json::value& schema) { return std::optional<std::string>(has(schema, "whole") ? "" : "everything"); },
      [] { return false; });
  EXPECT_EQ(blame.place, "/items");
  EXPECT_EQ(blame.keyword, "");
}

}  // namespace
}  // namespace gossamer::grammar
