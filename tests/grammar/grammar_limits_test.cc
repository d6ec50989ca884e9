/// What is compiled can be followed, however odd its texts get, and what cannot is refused; compiled grammars are kept
/// within their bytes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "grammar/grammar_engine.h"
#include "grammar/grammar_walk.h"

namespace gossamer::grammar {
namespace {

using testing::demo_tokenizer;
using ::testing::HasSubstr;
using testing::WalkSampler;

GrammarSpec schema_of(std::string text) {
  return {GrammarSpec::Kind::kJsonSchema, std::move(text)};
}

/// An object whose properties are all optional.
std::string optional_properties(int count, const std::string& value, bool is_closed) {
  std::string properties;
  for (int i = 0; i < count; ++i) properties += (i ? ",\"p" : "\"p") + std::to_string(i) + "\":" + value;
  return R"({"type":"object","properties":{)" + properties + (is_closed ? R"(},"additionalProperties":false})" : "}}");
}

std::string multiple_of(int divisor) {
  return R"({"type":"integer","multipleOf":)" + std::to_string(divisor) + "}";
}

/// What goes wrong in some walks through `spec`, refusals included; empty: nothing.
std::string failure_of(GrammarEngine& engine, const Tokenizer& tokenizer, const GrammarSpec& spec) {
  const auto compiled = engine.compile(spec);
  if (!compiled.ok()) return compiled.error().message;
  try {
    for (uint32_t seed = 0; seed < 3; ++seed) {
      WalkSampler sampler(tokenizer, seed);
      (void)testing::walk(*(*compiled)->clone(), sampler, 60);
    }
  } catch (const std::exception& problem) {
    return problem.what();
  }
  return "";
}

TEST(GrammarLimits, AThousandOptionalPropertiesAreFollowed) {
  const struct {
    std::shared_ptr<const Tokenizer> tokenizer;
    std::string value;
    bool is_closed;
  } rows[] = {{demo_tokenizer(), R"({"type":"boolean"})", true},
              {demo_tokenizer(), R"({"type":"string"})", false},
              {Tokenizer::o200k_harmony(), "{}", true},
              {Tokenizer::o200k_harmony(), R"({"type":"boolean"})", false}};
  for (const auto& row : rows) {
    GrammarEngine engine(row.tokenizer, {.deadline_seconds = 60});
    const GrammarSpec spec = schema_of(optional_properties(1000, row.value, row.is_closed));
    EXPECT_EQ(failure_of(engine, *row.tokenizer, spec), "") << row.value;
  }
}

TEST(GrammarLimits, MoreThanCanBeFollowedAreRefused) {
  GrammarEngine engine(demo_tokenizer(), {.deadline_seconds = 10});
  const std::string too_many = optional_properties(1400, R"({"type":"boolean"})", true);
  const std::string nested = R"({"type":"object","properties":{"a":{"type":"string","maxLength":90},"b":)" + too_many +
                             R"(},"required":["a","b"],"additionalProperties":false})";
  const struct {
    std::string schema, place;
  } rows[] = {{too_many, "at its top"}, {nested, "at /properties/b"}};
  for (const auto& [schema, place] : rows) {
    const std::string why = failure_of(engine, *demo_tokenizer(), schema_of(schema));
    EXPECT_THAT(why, HasSubstr("more than 1250 optional properties"));
    EXPECT_TRUE(why.find(place) != std::string::npos || why.find("\"properties\"") != std::string::npos) << why;
  }
}

TEST(GrammarLimits, GrammarsWithoutAnEndAreRefused) {
  GrammarEngine engine(demo_tokenizer(), {.deadline_seconds = 60});
  const struct {
    GrammarSpec spec;
    std::string why;
  } rows[] = {
      {{GrammarSpec::Kind::kLark, "start: \"a\" start"}, "no text fits"},
      {{GrammarSpec::Kind::kLark, "start: b | \"c\" start\nb: \"b\" start"}, "no text fits"},
      {{GrammarSpec::Kind::kLark, "start: \"x\" | \"a\" b\nb: \"b\" b"}, "from which it never ends"},
      {{GrammarSpec::Kind::kLark, "start: \"a\" B \"c\"\nB: /[^\\s\\S]/"}, "no text fits"},
      {{GrammarSpec::Kind::kLark, "start: <|end|> \"a\""}, "special token"},
      {{GrammarSpec::Kind::kLark, "start: \"a\" <[1-10]>"}, "special tokens are no text"},
      {*GrammarSpec::gbnf("root ::= \"a\" root"), "no text fits"},
      {schema_of(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})"), "no text fits"},
      {schema_of(R"({"type":"array","items":{"$ref":"#"},"minItems":1})"), "no text fits"},
      {schema_of(R"({"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},
                     "$defs":{"b":{"type":"array","items":{"$ref":"#/$defs/b"},"minItems":1}}})"),
       "from which it never ends"},
      {schema_of(multiple_of(60001)), "the most"},
      {*GrammarSpec::regex("(a{1000}){1000}"), "takes more than 64 MB"},
  };
  for (const auto& row : rows) {
    const auto compiled = engine.compile(row.spec);
    ASSERT_FALSE(compiled.ok()) << row.spec.text;
    EXPECT_THAT(compiled.error().message, HasSubstr(row.why)) << row.spec.text;
  }
}

TEST(GrammarLimits, GrammarsWithAnEndAreNot) {
  GrammarEngine engine(demo_tokenizer());
  const GrammarSpec specs[] = {
      {GrammarSpec::Kind::kLark, "start: \"a\" start | \"b\""},
      {GrammarSpec::Kind::kLark, "start: start \"a\" | \"\""},
      {GrammarSpec::Kind::kLark, "start: \"ab\"{3000}"},
      schema_of(R"({"type":"object","properties":{"a":{"$ref":"#"}}})"),
      schema_of(R"({"type":"array","items":{"$ref":"#"}})"),
      schema_of(R"({"type":"object","patternProperties":{"^.*$":{"type":"integer"}}})"),
      schema_of(R"({"type":"object","properties":{"a":false,"b":true}})"),
      schema_of(R"({"type":"object","properties":{"n":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},"required":["n"]})"),
  };
  for (const GrammarSpec& spec : specs) EXPECT_EQ(failure_of(engine, *demo_tokenizer(), spec), "") << spec.text;
}

/// The library has states for each place in a string of bounded length, and for all those that a next token could
/// reach.
TEST(GrammarLimits, LongAnswersDoNotFillTheTables) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  GrammarEngine engine(tokenizer, {.deadline_seconds = 60});
  const auto compiled = engine.compile(schema_of(R"({"type":"string","maxLength":100000})"));
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  const auto text = (*compiled)->clone();
  ASSERT_TRUE(text->accept(*tokenizer->text_token("\"")).ok());
  for (int i = 0; i < 13'500; ++i) {
    const Status accepted = text->accept(*tokenizer->text_token(" the"));
    ASSERT_TRUE(accepted.ok()) << "after " << i << " tokens: " << accepted.error().message;
  }
  EXPECT_TRUE(text->accept(*tokenizer->text_token("\"")).ok());
  EXPECT_TRUE(text->may_end());
}

TEST(GrammarLimits, TheRefusalNamesKeywordAndPlace) {
  GrammarEngine engine(demo_tokenizer());
  const struct {
    std::string schema, keyword, place;
  } rows[] = {
      {R"({"type":"object","properties":{"a":{"type":"string"}},"minProperties":2})", "minProperties",
       "/minProperties"},
      {R"({"type":"object","properties":{"z":{"type":"integer","multipleOf":0.000123457}},"required":["z"]})",
       "multipleOf", "/properties/z/multipleOf"},
      {R"({"type":"array","prefixItems":[{"type":"string","pattern":"(?=a)b"}],"minItems":1})", "pattern",
       "/prefixItems/0/pattern"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", "$ref", "/properties/a/$ref"},
  };
  for (const auto& row : rows) {
    const auto compiled = engine.compile(schema_of(row.schema));
    ASSERT_FALSE(compiled.ok()) << row.schema;
    EXPECT_THAT(compiled.error().message, HasSubstr("keyword \"" + row.keyword + "\" at " + row.place + " cannot"));
  }
}

uint64_t resident_bytes() {
  uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Each of them holds 1 to 2 MB.
TEST(GrammarLimits, MemoryStaysFlatWhateverIsAskedFor) {
  constexpr uint64_t kCached = 8 << 20;
  GrammarEngine engine(demo_tokenizer(), {.deadline_seconds = 60, .cached_grammars = 1000, .cached_bytes = kCached});
  uint64_t before = 0;
  for (int i = 0; i < 240; ++i) {
    const auto compiled = engine.compile(schema_of(multiple_of(6'001 - 4 * i)));
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    ASSERT_TRUE((*compiled)->clone()->allowed().ok());
    ASSERT_LE(engine.stats().cached_bytes, kCached);
    if (i == 40) before = resident_bytes();
  }
  EXPECT_GT(engine.stats().cached_bytes, kCached / 2);
  const auto growth = static_cast<int64_t>(resident_bytes()) - static_cast<int64_t>(before);
  EXPECT_LT(growth, 32 << 20) << "200 more grammars took " << growth / 1e6 << " MB";
}

TEST(GrammarLimits, WhatIsLargerThanAllThatMayBeKeptIsNotKept) {
  GrammarEngine engine(demo_tokenizer(), {.cached_bytes = 1000});
  const auto first = engine.compile(GrammarSpec::json_object());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(engine.find(GrammarSpec::json_object()), nullptr);
  EXPECT_EQ(engine.stats().cached_bytes, 0u);
  EXPECT_TRUE((*first)->clone()->allowed().ok());
}

}  // namespace
}  // namespace gossamer::grammar
