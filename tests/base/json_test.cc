#include "base/json.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gossamer
