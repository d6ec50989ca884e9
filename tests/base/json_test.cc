#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace gossamer {
namespace {

TEST(Json, KeepsTheOrderOfKeys) {
  const auto value = parse_json(R"({"z":1,"a":2,"m":3})", "text");
  ASSERT_TRUE(value.ok());
  std::string order;
  for (const auto& member : value->as_object()) order += member.key();
  EXPECT_EQ(order, "zam");
}

TEST(Json, ErrorsNameTheTextAndThePlace) {
  const auto refused = [](std::string_view text) {
    const auto value = parse_json(text, "config.json");
    return value.ok() ? std::string("accepted") : value.error().message;
  };
  EXPECT_NE(refused("{\"a\": }").find("config.json is not valid JSON"), std::string::npos);
  EXPECT_NE(refused("").find("config.json"), std::string::npos);
  EXPECT_NE(refused("{\"a\": 1").find("config.json"), std::string::npos);
  EXPECT_NE(refused("{} x").find("more text after its JSON value, at byte 3"), std::string::npos);
  EXPECT_NE(refused("\"\xff\"").find("config.json"), std::string::npos);
  EXPECT_NE(refused(std::string(200, '[')).find("config.json"), std::string::npos);
  EXPECT_TRUE(parse_json(" {} \n", "x").ok());
}

TEST(Json, DoublesAreTheNearest) {
  const auto read = [](std::string_view text) { return parse_json(text, "a number").value().to_number<double>(); };
  EXPECT_EQ(read("9.014274576114836e-30"), 9.014274576114836e-30);
  EXPECT_EQ(read("0.1234567890123456789012345"), 0.1234567890123456789012345);
  EXPECT_EQ(read("123456789012345678901234567890"), 123456789012345678901234567890.0);
  EXPECT_EQ(read("1.7976931348623157e308"), 1.7976931348623157e308);
  EXPECT_EQ(read("5e-324"), 5e-324);
  EXPECT_EQ(read("1e-400"), 0);
  EXPECT_TRUE(std::signbit(read("-1e-400")));
  EXPECT_EQ(read("0e400"), 0);
  EXPECT_EQ(read("0." + std::string(400, '0') + "1e402"), 10);
  EXPECT_EQ(parse_json("-9223372036854775808", "a number")->as_int64(), INT64_MIN);
  EXPECT_EQ(parse_json("18446744073709551615", "a number")->as_uint64(), UINT64_MAX);
}

/// What is read can be written and read again: JSON has no infinity.
TEST(Json, NumbersThatNoDoubleHoldsAreRefused) {
  for (const std::string_view text : {"1e309", "-1e400", "1e99999999999", "-45000000000000000000000000587e241708",
                                      "[1, {\"a\": 17976931348623159e300}]"}) {
    const auto value = parse_json(text, "the settings");
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_NE(value.error().message.find("the settings is not valid JSON"), std::string::npos);
  }
}

}  // namespace
}  // namespace gossamer
