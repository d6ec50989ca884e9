/// Formats that are expressions: each date that there is, and no other.

#include "grammar/string_format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <regex>

namespace gossamer::grammar {
namespace {

bool matches(std::string_view format, const std::string& text) {
  return std::regex_match(text, std::regex(string_format(format)->pattern));
}

TEST(StringFormat, DatesAreThoseOfTheCalendar) {
  const std::regex date(string_format("date")->pattern);
  for (int year : {0, 1, 4, 99, 100, 400, 1582, 1600, 1700, 1800, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9996, 9999})
    for (unsigned month = 0; month <= 13; ++month)
      for (unsigned day = 0; day <= 32; ++day) {
        const std::chrono::year_month_day calendar{std::chrono::year(year), std::chrono::month(month),
                                                   std::chrono::day(day)};
        const std::string text = fmt::format("{:04}-{:02}-{:02}", year, month, day);
        EXPECT_EQ(std::regex_match(text, date), calendar.ok() && year > 0) << text;
      }
}

TEST(StringFormat, TimesAndWhatRefersToOtherPlaces) {
  for (const char* text : {"23:59:59Z", "00:00:00.25+23:59", "12:00:00-00:00"})
    EXPECT_TRUE(matches("time", text)) << text;
  for (const char* text : {"23:59:60Z", "24:00:00Z", "12:00:00", "12:00:00.Z"})
    EXPECT_FALSE(matches("time", text)) << text;
  EXPECT_TRUE(matches("date-time", "2024-02-29T00:00:00Z"));
  EXPECT_FALSE(matches("date-time", "2023-02-29T00:00:00Z"));
  for (const char* text : {"", "a", "/a/b?c#d", "//host:80/", "http://host", "urn:x:y", "a%20b", "../x"})
    EXPECT_TRUE(matches("uri-reference", text)) << text;
  for (const char* text : {"1:a", "a b", "%2", "a#b#c", "http://host:x/"})
    EXPECT_FALSE(matches("uri-reference", text)) << text;
}

TEST(StringFormat, OthersAreOfTheCompilerDescribeOrAreUnknown) {
  EXPECT_EQ(string_format("uuid")->kind, StringFormat::Kind::kCompiled);
  EXPECT_EQ(string_format("byte")->kind, StringFormat::Kind::kAnnotation);
  EXPECT_FALSE(string_format("color"));
}

}  // namespace
}  // namespace gossamer::grammar
