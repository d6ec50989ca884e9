#include "grammar/grammar_spec.h"

#include <gtest/gtest.h>

namespace gossamer::grammar {
namespace {

TEST(GrammarSpec, AChoiceIsItsTextsAndNothingElse) {
  EXPECT_EQ(GrammarSpec::choice({"a.b", "c|d", "[e]"})->text, R"((a\.b|c\|d|\[e\]))");
  EXPECT_FALSE(GrammarSpec::choice({}).ok());
  EXPECT_FALSE(GrammarSpec::choice({"a", ""}).ok());
  EXPECT_FALSE(GrammarSpec::choice(std::vector<std::string>(10'001, "a")).ok());
}

TEST(GrammarSpec, AnExpressionIsWholeWithOrWithoutAnchors) {
  EXPECT_EQ(GrammarSpec::regex("^a|b$")->text, "a|b");
  EXPECT_EQ(GrammarSpec::regex("a\\$")->text, "a\\$");
  EXPECT_EQ(GrammarSpec::regex("a\\\\$")->text, "a\\\\");
}

TEST(GrammarSpec, BoundsOfExpressionsAndGrammars) {
  EXPECT_FALSE(GrammarSpec::regex("").ok());
  EXPECT_FALSE(GrammarSpec::regex(std::string(65'537, 'a')).ok());
  EXPECT_FALSE(GrammarSpec::regex(std::string(65, '(') + std::string(65, ')')).ok());
  EXPECT_FALSE(GrammarSpec::lark("start: \xFF").ok());
  EXPECT_TRUE(GrammarSpec::regex("[a-z]+").ok());
}

}  // namespace
}  // namespace gossamer::grammar
