#include "grammar/gbnf.h"

#include <gtest/gtest.h>

namespace gossamer::grammar {
namespace {

TEST(Gbnf, BecomesLarkRuleByRule) {
  const auto lark = lark_from_gbnf(
      "# a comment\nroot ::= \"a\\n\" (item-1 | other)* # more\n  | [^a-c\\]]{2,5}\nitem-1 ::= . \"\"\nother ::= "
      "root?");
  ASSERT_TRUE(lark.ok()) << lark.error().message;
  EXPECT_EQ(*lark,
            "start: /\\u{61}\\u{A}/ ( r2 | r3)* | /[^\\u{61}-\\u{63}\\u{5D}]/{2,5}\nr2: /(?s:.)/ \"\"\nr3: start?");
}

TEST(Gbnf, ACountMayLackEitherEnd) {
  EXPECT_EQ(*lark_from_gbnf("root ::= \"a\"{,5} \"b\"{2,}"), "start: /\\u{61}/{0,5} /\\u{62}/{2,}");
}

TEST(Gbnf, IsToldFromLarkByItsFirstRule) {
  EXPECT_TRUE(is_gbnf("# x ::= y\n\nroot ::= \"a\""));
  EXPECT_TRUE(is_gbnf(" root-1\n  ::= \"a\""));
  EXPECT_FALSE(is_gbnf("start: \"x ::= y\""));
  EXPECT_FALSE(is_gbnf("// a ::= b\n%import common.WORD\nstart: WORD"));
  EXPECT_FALSE(is_gbnf(""));
}

TEST(Gbnf, SaysWhereItIsWrong) {
  const std::pair<const char*, const char*> rows[] = {
      {"root ::= x", "\"x\" is not defined"},
      {"a ::= \"x\"", "no rule \"root\""},
      {"root ::= \"x", "line 1"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2"},
      {"root ::= (\"a\"", "not closed"},
      {"root ::= \"a\")", "')'"},
      {"root ::= []", "empty"},
      {"root ::= [z-a]", "before it begins"},
      {"root ::= \"\\q\"", "escape"},
      {"root ::= [a\\xZZ]", "escape"},
      {"root ::= \"a\"{x}", "count"},
      {"root ::= \"a\"{", "count"},
      {"root ::= \"a\"{,}", "count"},
      {"\"a\"", "begins with its name"},
      {"root ::= \xFF", "UTF-8"},
      {"root ::= \"\\uD800\"", "escape"},
  };
  for (const auto& [text, says] : rows) {
    const auto lark = lark_from_gbnf(text);
    ASSERT_FALSE(lark.ok()) << text;
    EXPECT_NE(lark.error().message.find(says), std::string::npos) << text << ": " << lark.error().message;
  }
}

}  // namespace
}  // namespace gossamer::grammar
