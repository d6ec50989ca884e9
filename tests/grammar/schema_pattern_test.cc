#include "grammar/schema_pattern.h"

#include <gtest/gtest.h>

namespace gossamer::grammar {
namespace {

TEST(SchemaPattern, SaysInRustsSyntaxWhatEcmaScriptMeans) {
  const struct {
    const char *pattern, *rust;
  } rows[] = {
      {"^[a-z]+$", "^[a-z]+$"},
      {R"(\d{3}-\w)", "[0-9]{3}-[A-Za-z0-9_]"},
      {R"([\d.\-]\D)", R"([0-9.\-]\D)"},
      {R"(a.b\.c)", R"(a[^\n\r\x{2028}\x{2029}]b\.c)"},
      {R"([[&~.])", R"([\[\&\~.])"},
      {R"([^\]\s])", R"([^\]\t\n\x0B\x0C\r ])"},
      {R"(\\d)", R"(\\d)"},
      {"ä]", "ä]"},
      {"", ""},
      {"\\", "\\"},
  };
  for (const auto& row : rows) EXPECT_EQ(rust_pattern(row.pattern), row.rust) << row.pattern;
}

TEST(SchemaPattern, IsTheSameTheSecondTime) {
  for (const char* pattern : {R"([\d\w\s[&~])", R"(\d\w\s.)", "[^a.]"}) {
    const std::string once = rust_pattern(pattern);
    EXPECT_EQ(rust_pattern(once), once) << pattern;
  }
}

}  // namespace
}  // namespace gossamer::grammar
