/// What keywords are refused for together, and how it is said; and what must not be refused.

#include "grammar/schema_rules.h"

#include <gtest/gtest.h>

#include <chrono>

#include "grammar/schema_check.h"
#include "grammar/schema_dialect.h"

namespace gossamer::grammar {
namespace {

std::string error_of(const std::string& text) {
  const Result<json::value> schema = parse_schema(text);
  if (!schema.ok()) return schema.error().message;
  const Result<CheckedSchema> checked = check_schema(*schema);
  return checked.ok() ? "" : checked.error().message;
}

struct Refused {
  const char* schema;
  const char* keyword;
  const char* place;
};

void expect_refused(const Refused& row) {
  const std::string error = error_of(row.schema);
  EXPECT_NE(error.find("\"" + std::string(row.keyword) + "\""), std::string::npos) << row.schema << ": " << error;
  EXPECT_NE(error.find(" at " + std::string(row.place) + " "), std::string::npos) << row.schema << ": " << error;
}

TEST(SchemaRules, NothingFitsByKeywordAndPlace) {
  for (const Refused& row : {
           Refused{R"({"properties":{"n":{"type":"integer","minimum":5,"maximum":3}}})", "minimum",
                   "/properties/n/minimum"},
           Refused{R"({"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2})", "exclusiveMinimum",
                   "/exclusiveMinimum"},
           Refused{R"({"type":"number","minimum":1,"exclusiveMaximum":1})", "minimum", "/minimum"},
           Refused{R"({"type":"integer","minimum":1,"maximum":2,"multipleOf":0.3})", "minimum", "/minimum"},
           Refused{R"({"type":"integer","minimum":9007199254740993,"maximum":9007199254740993})", "minimum",
                   "/minimum"},
           Refused{R"({"type":"array","minItems":3,"maxItems":2})", "minItems", "/minItems"},
           Refused{R"({"type":"string","minLength":3,"maxLength":2})", "minLength", "/minLength"},
           Refused{R"({"type":"object","minProperties":1,"maxProperties":0})", "minProperties", "/minProperties"},
           Refused{R"({"type":"object","required":["a","b"],"maxProperties":1})", "required", "/required"},
           Refused{R"({"type":"string","enum":[1,2]})", "enum", "/enum"},
           Refused{R"({"enum":[1,2],"const":3})", "enum", "/enum"},
           Refused{R"({"type":"integer","const":1.5})", "const", "/const"},
           Refused{R"({"type":"integer","enum":[3,4],"maximum":2})", "enum", "/enum"},
           Refused{R"({"type":"string","const":"abc","maxLength":2})", "const", "/const"},
           Refused{R"({"allOf":[{"type":"string"},{"type":"integer"}]})", "allOf", "/allOf"},
           Refused{R"({"$defs":{"s":{"type":"string"}},"items":{"$ref":"#/$defs/s","type":"integer"}})", "$ref",
                   "/items/$ref"},
           Refused{R"({"type":"object","properties":{},"required":["b"],"additionalProperties":false})", "required",
                   "/required"},
       })
    expect_refused(row);
}

TEST(SchemaRules, NumbersThatCannotBeKept) {
  for (const Refused& row : {
           Refused{R"({"const":9007199254740993})", "const", "/const"},
           Refused{R"({"const":18446744073709551615})", "const", "/const"},
           Refused{R"({"const":-9223372036854775808})", "const", "/const"},
           Refused{R"({"items":{"enum":[1,12345678901234567890123]}})", "enum", "/items/enum"},
           Refused{R"({"const":[{"a":9007199254740993}]})", "const", "/const"},
           Refused{R"({"type":"integer","minimum":9223372036854775807})", "minimum", "/minimum"},
           Refused{R"({"maximum":-1e20})", "maximum", "/maximum"},
           Refused{R"({"minimum":1e-300})", "minimum", "/minimum"},
           Refused{R"({"multipleOf":0.000123457})", "multipleOf", "/multipleOf"},
           Refused{R"({"multipleOf":10000000000})", "multipleOf", "/multipleOf"},
           Refused{R"({"allOf":[{"multipleOf":65537},{"multipleOf":65539}]})", "multipleOf", "/allOf/1/multipleOf"},
       })
    expect_refused(row);
  for (const char* schema :
       {R"({"const":9007199254740992})", R"({"const":1152921504606846976})", R"({"enum":[-9007199254740994,0.1,-0.0]})",
        R"({"multipleOf":0.01})", R"({"items":{"multipleOf":65537},"prefixItems":[{"multipleOf":65539}]})"})
    EXPECT_EQ(error_of(schema), "") << schema;
}

/// A property without a name of its own may come twice with one name, and counts once.
TEST(SchemaRules, CountsOfProperties) {
  for (const Refused& row : {
           Refused{R"({"properties":{"a":{"type":"string"}},"minProperties":1})", "minProperties", "/minProperties"},
           Refused{R"({"properties":{"a":{"type":"string"}},"maxProperties":1})", "maxProperties", "/maxProperties"},
           Refused{R"({"type":"object","additionalProperties":{"type":"null"},"minProperties":2})", "minProperties",
                   "/minProperties"},
           Refused{R"({"patternProperties":{"^[ab]$":{"type":"null"}},"additionalProperties":false,"minProperties":2,
                       "maxProperties":2})",
                   "minProperties", "/minProperties"},
           Refused{R"({"properties":{"x":{"minProperties":3,"required":["a"]}}})", "minProperties",
                   "/properties/x/minProperties"},
       })
    expect_refused(row);
  for (const char* schema :
       {R"({"minProperties":1,"maxProperties":3})", R"({"required":["a"],"minProperties":2})",
        R"({"properties":{"a":{},"b":{}},"additionalProperties":false,"minProperties":1})",
        R"({"properties":{"a":{},"b":{}},"additionalProperties":false,"minProperties":1,"maxProperties":1})",
        R"({"type":"object","minProperties":2,"allOf":[{"required":["a","b"]}]})"})
    EXPECT_EQ(error_of(schema), "") << schema;
}

TEST(SchemaRules, AlternativesThatMayOverlap) {
  for (const Refused& row : {
           Refused{R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "oneOf", "/oneOf"},
           Refused{R"({"properties":{"a":{"oneOf":[{"type":"null"},{"type":"object"},{"required":["x"]}]}}})", "oneOf",
                   "/properties/a/oneOf"},
           // Without "required" an object may lack what tells them apart.
           Refused{R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"}}},
                                {"type":"object","properties":{"k":{"const":"b"}}}]})",
                   "oneOf", "/oneOf"},
           Refused{R"({"oneOf":[{"type":"integer","maximum":5},{"type":"integer","minimum":5}]})", "oneOf", "/oneOf"},
       })
    expect_refused(row);
}

TEST(SchemaRules, AlternativesThatCannotOverlap) {
  for (const char* schema :
       {R"({"$defs":{"C":{"type":"object","properties":{"k":{"const":"c"}},"required":["k"]},
                     "D":{"type":"object","properties":{"k":{"const":"d"}},"required":["k"]}},
            "properties":{"pet":{"discriminator":{"propertyName":"k"},
                                 "oneOf":[{"$ref":"#/$defs/C"},{"$ref":"#/$defs/D"}]}}})",
        R"({"$defs":{"C":{"type":"object"}},"oneOf":[{"$ref":"#/$defs/C"},{"type":"null"}]})",
        R"({"oneOf":[{"type":"object","properties":{"v":{"const":1}},"required":["v"]},
                     {"type":"object","properties":{"v":{"const":2}},"required":["v"]}]})",
        R"({"type":"object","required":["k"],"oneOf":[{"properties":{"k":{"const":"a"}}},
                                                      {"properties":{"k":{"enum":["b","c"]}}}]})",
        R"({"oneOf":[{"type":"integer","maximum":5},{"type":"integer","exclusiveMinimum":5}]})",
        R"({"oneOf":[{"enum":["a","b"]},{"anyOf":[{"const":"c"},{"type":"boolean"}]}]})",
        R"({"oneOf":[{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false},
                     {"type":"object","properties":{"b":{}},"required":["b"]}]})",
        R"({"type":"object","allOf":[{"oneOf":[{"required":["k"],"properties":{"k":{"const":1}}},
                                               {"required":["k"],"properties":{"k":{"const":2}}}]}]})",
        R"({"$defs":{"L":{"type":"object","properties":{"t":{"const":"l"}},"required":["t"]},
                     "N":{"type":"object","properties":{"t":{"const":"n"},"n":{"$ref":"#/$defs/T"}},"required":["t"]},
                     "T":{"oneOf":[{"$ref":"#/$defs/L"},{"$ref":"#/$defs/N"}]}},
            "$ref":"#/$defs/T"})"})
    EXPECT_EQ(error_of(schema), "") << schema;
}

/// References within a part that has an "$id" start there, not at the top.
TEST(SchemaRules, PartsWithNamesOfTheirOwn) {
  expect_refused({R"({"$defs":{"b":{}},"items":{"$id":"z","$ref":"#/$defs/b"}})", "$ref", "/items/$ref"});
  EXPECT_EQ(error_of(R"({"$id":"z","$defs":{"b":{}},"items":{"$ref":"#/$defs/b"}})"), "");
}

/// Errors of the compiler name places of what it reads; people wrote another text.
TEST(SchemaRules, PlacesAreThoseOfTheClientsSchema) {
  const json::value schema = *parse_schema(
      R"({"items":{"oneOf":[{"type":"null"},{"type":"string","pattern":"a","format":"date"}]},
          "patternProperties":{"\\d/":{"type":"string","format":"time"}},"$defs":{"a/b":{"anyOf":[{}]}}})");
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"/items/anyOf", "/items/oneOf"},
      {"/items/anyOf/1/pattern", "/items/oneOf/1/pattern"},
      {"/items/anyOf/1/allOf/0/pattern", "/items/oneOf/1/format"},
      {"/patternProperties/[0-9]~1/pattern", "/patternProperties/\\d~1/format"},
      {"/$defs/a~1b/anyOf/0", "/$defs/a~1b/anyOf/0"},
      {"/$defs/definition 0/type", "/$defs"},
  };
  for (const auto& [place, source] : rows) EXPECT_EQ(source_place(schema, place), source) << place;
}

/// Looking for contradictions takes a bounded time whatever the schema is.
TEST(SchemaRules, ALabyrinthOfAlternativesEndsInTime) {
  std::string all;
  for (int factor = 0; factor < 40; ++factor) {
    all += factor ? R"(,{"anyOf":[)" : R"({"anyOf":[)";
    for (int i = 0; i < 40; ++i)
      all += (i ? "," : "") + (R"({"required":["p)" + std::to_string(i)) + R"("],"maximum":)" + std::to_string(i) + "}";
    all += "]}";
  }
  const auto begin = std::chrono::steady_clock::now();
  (void)error_of(R"({"type":"object","allOf":[)" + all + "]}");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace gossamer::grammar
