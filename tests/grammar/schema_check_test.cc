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

std::string checked(const char* schema) {
  const auto checked = check_schema(*parse_schema(schema));
  return checked.ok() ? json::serialize(checked->schema) : checked.error().message;
}

/// What the compiler would take more widely than validators do.
TEST(SchemaCheck, NarrowsPatternsAndTimes) {
  EXPECT_EQ(checked(R"({"pattern":"\\d"})"), R"({"pattern":"[0-9]"})");
  EXPECT_EQ(checked(R"({"patternProperties":{"\\d":{}}})"), R"({"patternProperties":{"[0-9]":{}}})");
  EXPECT_NE(checked(R"({"format":"time"})").find(R"({"pattern":"^(?:(?:[01][0-9]|2[0-3]):)"), std::string::npos);
  EXPECT_NE(checked(R"({"format":"date-time","pattern":"^2"})").find(R"({"pattern":"^2","allOf":[{"pattern":"^(?:)"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"patternProperties":{"\\d":{},"[0-9]":{}}})").find("twice"), std::string::npos);
}

/// "format" holds texts; of numbers it says how they are stored.
TEST(SchemaCheck, FormatsOfNumbersAndThoseThatOnlyDescribe) {
  EXPECT_EQ(checked(R"({"type":"integer","format":"int32"})"),
            R"({"type":"integer","minimum":-2147483648,"maximum":2147483647})");
  EXPECT_EQ(checked(R"({"type":["integer","null"],"format":"uint8","minimum":3})"),
            R"({"type":["integer","null"],"minimum":3,"maximum":255})");
  EXPECT_EQ(checked(R"({"type":"number","format":"double"})"), R"({"type":"number"})");
  EXPECT_EQ(checked(R"({"type":"integer","format":"unix-time"})"), R"({"type":"integer"})");
  EXPECT_EQ(checked(R"({"type":"string","format":"binary"})"), R"({"type":"string"})");
  EXPECT_EQ(checked(R"({"type":"string","format":"uuid"})"), R"({"type":"string","format":"uuid"})");
}

/// No number passes that the schema does not have, though the compiler has doubles.
TEST(SchemaCheck, MovesLargeBoundsInwards) {
  EXPECT_EQ(checked(R"({"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807})"),
            R"({"type":"integer","minimum":-9223372036854400000,"maximum":9223372036854400000})");
  EXPECT_EQ(checked(R"({"minimum":9007199254740993})"), R"({"minimum":9007199254741000})");
  EXPECT_EQ(checked(R"({"maximum":-9007199254740993})"), R"({"maximum":-9007199254741000})");
  EXPECT_EQ(checked(R"({"exclusiveMaximum":9007199254750000})"), R"({"maximum":9007199254749000})");
  EXPECT_EQ(checked(R"({"maximum":1e20})"), R"({"maximum":9223372036854400000})");
  EXPECT_EQ(checked(R"({"minimum":1000000000000000000})"),
            R"({"minimum":1000000000000000000,"maximum":9223372036854400000})");
  EXPECT_EQ(checked(R"({"exclusiveMaximum":9007199254740991})"), R"({"exclusiveMaximum":9007199254740991})");
}

TEST(SchemaCheck, DropsCountsThatHoldInAnyCase) {
  EXPECT_EQ(checked(R"({"properties":{"a":{}},"required":["a"],"minProperties":1})"),
            R"({"properties":{"a":{}},"required":["a"]})");
  EXPECT_EQ(checked(R"({"properties":{"a":{},"b":{}},"additionalProperties":false,"maxProperties":2})"),
            R"({"properties":{"a":{},"b":{}},"additionalProperties":false})");
}

/// The compiler does not know disjoint alternatives behind references, nor names with escapes.
TEST(SchemaCheck, TranslatesAlternativesAndReferences) {
  EXPECT_EQ(checked(R"({"$defs":{"a":{"type":"null"}},"oneOf":[{"$ref":"#/$defs/a"},{"type":"string"}]})"),
            R"({"$defs":{"a":{"type":"null"}},"anyOf":[{"$ref":"#/$defs/a"},{"type":"string"}]})");
  EXPECT_EQ(checked(R"({"anyOf":[{}],"oneOf":[{"type":"null"}]})"),
            R"({"anyOf":[{}],"allOf":[{"anyOf":[{"type":"null"}]}]})");
  EXPECT_EQ(checked(R"({"$defs":{"a/b~c d%":{"const":"ok"}},"$ref":"#/$defs/a~1b~0c%20d%25"})"),
            R"({"$defs":{"a/b~c d%":{"const":"ok"},"definition 0":{"const":"ok"}},"$ref":"#/$defs/definition 0"})");
  EXPECT_EQ(checked(R"({"oneOf":[{"type":"null"},{"type":"array","items":{"$ref":"#/oneOf/0"}}]})"),
            R"({"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#/$defs/definition 0"}}],)"
            R"("$defs":{"definition 0":{"type":"null"}}})");
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
