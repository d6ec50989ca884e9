#include <gtest/gtest.h>

#include <set>

#include "server/ids.h"
#include "server/json_reader.h"
#include "server/json_string.h"
#include "server/request_fields.h"
#include "server/route_pattern.h"

namespace gossamer::server {
namespace {

json::object object(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size())).as_object();
}

TEST(JsonReader, AbsentAndNullAreOne) {
  const json::object body = object(R"({"temperature": null, "stop": null, "stream": null})");
  JsonReader reader(body);
  EXPECT_FALSE(reader.number(fields::kTemperature));
  EXPECT_FALSE(reader.number(fields::kTopP));
  EXPECT_FALSE(reader.boolean("stream"));
  EXPECT_TRUE(reader.texts("stop", 4).empty());
  EXPECT_TRUE(reader.ok());
}

TEST(JsonReader, WholeNumbersInAnySpelling) {
  const json::object body = object(R"({"n": 3.0, "seed": -5, "max_tokens": 4.5, "top_k": 18446744073709551615})");
  JsonReader reader(body);
  EXPECT_EQ(reader.whole(fields::kN), 3);
  EXPECT_EQ(reader.whole(fields::kSeed), -5);
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.whole(fields::kMaxTokens));
  EXPECT_EQ(reader.problem()->param, "max_tokens");
  JsonReader second(body);
  EXPECT_FALSE(second.whole(fields::kTopK));
  EXPECT_FALSE(second.ok());
}

TEST(JsonReader, EveryEdgeOfARange) {
  const WholeField whole{"v", -2, 7};
  const NumberField number{"v", -0.5, 2};
  for (const auto& [value, fits] : {std::pair(-3, false), {-2, true}, {7, true}, {8, false}}) {
    const json::object body = {{"v", value}};
    JsonReader reader(body);
    EXPECT_EQ(reader.whole(whole).has_value(), fits) << value;
    EXPECT_EQ(reader.ok(), fits) << value;
  }
  for (const auto& [value, fits] : {std::pair(-0.51, false), {-0.5, true}, {2.0, true}, {2.01, false}}) {
    const json::object body = {{"v", value}};
    JsonReader reader(body);
    EXPECT_EQ(reader.number(number).has_value(), fits) << value;
  }
}

TEST(JsonReader, TheFirstProblemStaysAndNamesItsPlace) {
  const json::object body = object(R"({"a": {"b": 1, "c": "x"}, "d": 2})");
  JsonReader reader(body);
  JsonReader inner = reader.inside(*reader.object("a"), "a");
  EXPECT_FALSE(inner.text("b"));
  EXPECT_FALSE(reader.text("d"));
  EXPECT_EQ(reader.problem()->param, "a.b");
  EXPECT_EQ(reader.problem()->message, "\"a.b\" must be a text, not 1");
}

TEST(JsonReader, LongValuesAreQuotedShort) {
  const json::object body = {{"n", std::string(100'000, 'x')}};
  JsonReader reader(body);
  EXPECT_FALSE(reader.whole(fields::kN));
  EXPECT_LT(reader.problem()->message.size(), 200u);
}

TEST(JsonString, IsWhatAParserReads) {
  std::string text;
  for (int c = 0; c < 128; ++c) text.push_back(static_cast<char>(c));
  text += "ä€😀\"\\";
  const Result<json::value> value = parse_json(json_string(text), "it");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(std::string(value->as_string()), text);
}

TEST(RoutePattern, SegmentsAndParameters) {
  const RoutePattern cancel("/v1/responses/{id}/cancel"), rest("/v1/models/{id...}"), plain("/health");
  EXPECT_EQ(cancel.match("/v1/responses/resp_1/cancel"), std::vector<std::string>{"resp_1"});
  EXPECT_FALSE(cancel.match("/v1/responses/resp_1"));
  EXPECT_FALSE(cancel.match("/v1/responses/resp_1/cancel/x"));
  EXPECT_EQ(rest.match("/v1/models/openai/gpt-oss-20b"), std::vector<std::string>{"openai/gpt-oss-20b"});
  EXPECT_FALSE(rest.match("/v1/models"));
  EXPECT_TRUE(plain.match("/health/"));
  EXPECT_FALSE(plain.match("/"));
  EXPECT_FALSE(plain.match(""));
}

TEST(Ids, AreLongAndDifferent) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(make_id("call_"));
  EXPECT_EQ(ids.size(), 10'000u);
  for (const std::string& id : ids) ASSERT_EQ(id.size(), 29u);
}

}  // namespace
}  // namespace gossamer::server
