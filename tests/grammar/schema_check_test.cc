/// What is refused of a schema, and how it is said.

#include "grammar/schema_check.h"

#include <gtest/gtest.h>

namespace gossamer::grammar {
namespace {

struct Refused {
  const char* schema;
  const char* says;  ///< what the sentence must hold
  const char* where;
};

std::string error_of(const std::string& text) {
  const Result<json::value> schema = parse_schema(text);
  if (!schema.ok()) return schema.error().message;
  const Result<CheckedSchema> checked = check_schema(*schema);
  return checked.ok() ? "" : checked.error().message;
}

TEST(SchemaCheck, RefusesByKeywordAndPlace) {
  for (const Refused& row : {
           Refused{R"({"not":{}})", "\"not\"", "/not"},
           Refused{R"({"properties":{"a/b~c":{"if":{}}}})", "\"if\"", "/properties/a~1b~0c/if"},
           Refused{R"({"items":{"uniqueItems":true}})", "\"uniqueItems\"", "/items/uniqueItems"},
           Refused{R"({"nullable":true})", "\"nullable\"", "/nullable"},
           Refused{R"({"anyOf":[{},{"contains":{}}]})", "\"contains\"", "/anyOf/1/contains"},
           Refused{R"({"$defs":{"x":{"dependentRequired":{}}}})", "\"dependentRequired\"", "/$defs/x/"},
           Refused{R"({"unevaluatedProperties":false})", "\"unevaluatedProperties\"", "/unevaluatedProperties"},
           Refused{R"({"propertyNames":{}})", "\"propertyNames\"", "/propertyNames"},
           Refused{R"({"tpye":"string"})", "\"tpye\"", "/tpye"},
           Refused{R"({"type":"text"})", "one of null, boolean", "/type"},
           Refused{R"({"type":[]})", "\"type\"", "/type"},
           Refused{R"({"enum":[]})", "\"enum\"", "/enum"},
           Refused{R"({"anyOf":[]})", "\"anyOf\"", "/anyOf"},
           Refused{R"({"items":[{}]})", "must be an object, true or false", "/items"},
           Refused{R"({"properties":[]})", "\"properties\"", "/properties"},
           Refused{R"({"required":"a"})", "\"required\"", "/required"},
           Refused{R"({"required":[1]})", "\"required\"", "/required"},
           Refused{R"({"minLength":-1})", "whole number", "/minLength"},
           Refused{R"({"maxLength":1.5})", "whole number", "/maxLength"},
           Refused{R"({"minItems":1e9})", "0 to 10000", "/minItems"},
           Refused{R"({"exclusiveMinimum":true})", "a number", "/exclusiveMinimum"},
           Refused{R"({"multipleOf":0})", "above 0", "/multipleOf"},
           Refused{R"({"pattern":1})", "regular expression", "/pattern"},
           Refused{R"({"format":"color"})", "date-time", "/format"},
           Refused{R"({"$ref":"http://example.com/x"})", "other documents", "/$ref"},
           Refused{R"({"$ref":"#/$defs/x"})", "no schema", "/$ref"},
           Refused{R"({"properties":{"a":{"$ref":"#/properties"}}})", "no schema", "/properties/a/$ref"},
           Refused{R"({"$ref":"#"})", "itself", "top"},
           Refused{R"({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}}})", "itself", "/$defs/"},
           Refused{R"("string")", "an object, true or false", "its top"},
           Refused{R"({"type":)", "schema", "byte"},
       }) {
    const std::string error = error_of(row.schema);
    EXPECT_NE(error.find(row.says), std::string::npos) << row.schema << ": " << error;
    EXPECT_NE(error.find(row.where), std::string::npos) << row.schema << ": " << error;
  }
}

TEST(SchemaCheck, KeepsWhatDecidesAndDropsWhatDescribes) {
  const auto checked = check_schema(*parse_schema(
      R"({"title":"T","x-order":1,"uniqueItems":false,"type":"object","properties":{"title":{"type":"string",
          "description":"d","default":"x","minLength":2.0}},"required":["title"]})"));
  ASSERT_TRUE(checked.ok()) << checked.error().message;
  EXPECT_EQ(json::serialize(checked->schema),
            R"({"type":"object","properties":{"title":{"type":"string","minLength":2}},"required":["title"]})");
}

/// What the compiler would take more widely than validators do.
TEST(SchemaCheck, NarrowsPatternsAndTimes) {
  const auto checked = [](const char* schema) {
    return json::serialize(check_schema(*parse_schema(schema)).value().schema);
  };
  EXPECT_EQ(checked(R"({"pattern":"\\d"})"), R"({"pattern":"[0-9]"})");
  EXPECT_EQ(checked(R"({"patternProperties":{"\\d":{}}})"), R"({"patternProperties":{"[0-9]":{}}})");
  EXPECT_EQ(checked(R"({"format":"time"})"), R"({"format":"time","pattern":"^[^:]*:[^:]*:[0-5]"})");
  EXPECT_EQ(checked(R"({"format":"date-time","pattern":"^2"})"),
            R"({"format":"date-time","pattern":"^2","allOf":[{"pattern":"^[^:]*:[^:]*:[0-5]"}]})");
  EXPECT_EQ(checked(R"({"format":"date"})"), R"({"format":"date"})");
  EXPECT_NE(error_of(R"({"patternProperties":{"\\d":{},"[0-9]":{}}})").find("twice"), std::string::npos);
}

TEST(SchemaCheck, TakesRecursionThatGoesOn) {
  for (const char* schema :
       {R"({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}})",
        R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"array","items":{"$ref":"#/$defs/tree"}}}})",
        R"({"$defs":{"a b":{"type":"null"}},"items":{"$ref":"#/$defs/a%20b"}})", "true", "false", "{}"})
    EXPECT_EQ(error_of(schema), "") << schema;
}

TEST(SchemaCheck, BoundsHoldForHostileSchemas) {
  std::string deep, wide = R"({"enum":[0)", keys = R"({"properties":{")" + std::string(3000, 'k') + R"(":{}}})";
  for (int i = 0; i < 70; ++i) deep += R"({"items":)";
  deep += "{}" + std::string(70, '}');
  for (int i = 0; i < 30'000; ++i) wide += ",1";
  wide += "]}";
  const std::string large = R"({"description":")" + std::string(300'000, 'x') + R"("})";
  EXPECT_NE(error_of(deep).find("deeper than 64"), std::string::npos);
  EXPECT_NE(error_of(wide).find("more than 20000 parts"), std::string::npos);
  EXPECT_NE(error_of(keys).find("2048 bytes"), std::string::npos);
  EXPECT_NE(error_of(large).find("262144"), std::string::npos);
  std::string value = R"({"const":)" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_NE(error_of(value).find("deeper than 64"), std::string::npos);
}

}  // namespace
}  // namespace gossamer::grammar
