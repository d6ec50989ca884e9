#include "harmony/json_text.h"

#include <gtest/gtest.h>

namespace gossamer::harmony {
namespace {

struct NumberCase {
  std::string_view written;
  std::string_view rendered;
};

/// What serde_json 1.0.140 (openai-harmony 0.0.8) makes of each number.
constexpr NumberCase kNumbers[] = {
    {"0", "0"},
    {"-0", "-0.0"},
    {"-1", "-1"},
    {"1.0", "1.0"},
    {"0.10", "0.1"},
    {"1e0", "1.0"},
    {"1E2", "100.0"},
    {"1e15", "1000000000000000.0"},
    {"1e16", "1e16"},
    {"1e+21", "1e21"},
    {"123456789e-3", "123456.789"},
    {"1.5e300", "1.5e300"},
    {"0.0001", "0.0001"},
    {"0.00001", "0.00001"},
    {"0.000001", "1e-6"},
    {"-1.25e-7", "-1.25e-7"},
    {"5e-324", "5e-324"},
    {"1e-400", "0.0"},
    {"0e999999", "0.0"},
    {"9.014274576114836e-30", "9.014274576114837e-30"},  // not the nearest double
    {"5.5285957629296515e-09", "5.528595762929651e-9"},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "9223372036854775808"},
    {"18446744073709551615", "18446744073709551615"},
    {"18446744073709551616", "1.8446744073709552e19"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"-9223372036854775809", "-9.223372036854776e18"},
    {"123456789012345678901234567890", "1.2345678901234568e29"},
    {"0.1234567890123456789012345", "0.12345678901234568"},
    {"0.00000000000000000000000000012345678901234567890123", "1.2345678901234567e-28"},
    {"1844674407370955161.69", "1.8446744073709553e18"},
    {"18446744073709551619.5", "1.8446744073709552e19"},
    {"123456789012345678901.25e-3", "1.2345678901234566e17"},
};

TEST(JsonText, NumbersComeOutAsInSerde) {
  for (const NumberCase& number : kNumbers) {
    const Result<json::value> value = parse_json_like_serde(number.written, "a number");
    ASSERT_TRUE(value.ok()) << number.written << ": " << value.error().message;
    EXPECT_EQ(compact_json(*value), number.rendered) << number.written;
  }
}

TEST(JsonText, TooLargeNumbersAreRefused) {
  for (std::string_view text : {"1e309", "-1e309", "1e99999999999", "17976931348623159e300"}) {
    const Result<json::value> value = parse_json_like_serde(text, "a number");
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_NE(value.error().message.find("a number is not valid JSON"), std::string::npos);
  }
}

TEST(JsonText, OnlyWhatMustBeIsEscaped) {
  const std::string text =
      "{\"k\\u0000\\u001f\\\"\\\\/\":[\"\\b\\f\\n\\r\\t\\u007f é\\ud83d\\ude00\",true,false,null,{},[]]}";
  const Result<json::value> value = parse_json_like_serde(text, "a text");
  ASSERT_TRUE(value.ok()) << value.error().message;
  EXPECT_EQ(compact_json(*value), "{\"k\\u0000\\u001f\\\"\\\\/\":[\"\\b\\f\\n\\r\\t\x7f é😀\",true,false,null,{},[]]}");
}

TEST(JsonText, KeysKeepTheirOrderAndTheLastOfTwoCounts) {
  const Result<json::value> value = parse_json_like_serde(R"({"z":1,"a":2,"z":3})", "a text");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(compact_json(*value), R"({"z":3,"a":2})");
}

TEST(JsonText, BadTextIsRefused) {
  for (std::string_view text : {"", "{", "{} {}", "01", "1.", "-", "nul", "\"\\ud800\"", "\"\xff\"", "[1,]"}) {
    EXPECT_FALSE(parse_json_like_serde(text, "a text").ok()) << text;
  }
  EXPECT_FALSE(parse_json_like_serde(std::string(200, '['), "a text").ok());
}

}  // namespace
}  // namespace gossamer::harmony
