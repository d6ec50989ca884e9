/// Whatever is sampled from its masks, a text fits its schema: random walks, judged by a validator of its own.
/// GOSSAMER_WALKS makes more of them than the 20 of every schema and test run.

#include "grammar/grammar_walk.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <vector>

#include "base/utf8.h"
#include "grammar/grammar_engine.h"
#include "grammar/json_validator.h"
#include "grammar/schema_check.h"

namespace gossamer::grammar {
namespace {

using testing::demo_tokenizer;
using testing::text_of;
using testing::walk;
using testing::WalkSampler;

uint32_t num_walks() {
  const char* wanted = std::getenv("GOSSAMER_WALKS");
  return wanted ? static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10)) : 20;
}

struct Counts {
  uint32_t whole = 0, cut = 0;
};

void walk_schema(GrammarEngine& engine, const Tokenizer& tokenizer, const std::string& name, const std::string& text,
                 uint32_t walks, Counts& counts) {
  const json::value schema = parse_schema(text).value();
  const auto spec = GrammarSpec::json_schema(schema);
  ASSERT_TRUE(spec.ok()) << name << ": " << spec.error().message;
  const auto compiled = engine.compile(*spec);
  ASSERT_TRUE(compiled.ok()) << name << ": " << compiled.error().message;
  WalkSampler sampler(tokenizer, 1);
  for (uint32_t i = 0; i < walks; ++i) {
    const auto tokens = walk(*(*compiled)->clone(), sampler, 1500);
    ++(tokens ? counts.whole : counts.cut);
    if (!tokens) continue;
    const std::string written = text_of(tokenizer, *tokens);
    boost::system::error_code error;  // JSON's numbers have no end, as a schema's where it names none: 2e403 is right
    const json::value value = json::parse(written, error);
    ASSERT_FALSE(error) << name << ": " << error.message() << "\n" << written;
    ASSERT_EQ(testing::why_it_does_not_fit(value, schema, schema), "") << name << "\n" << written;
  }
}

TEST(GrammarWalk, EveryTextFitsItsSchema) {
  GrammarEngine engine(demo_tokenizer());
  Counts counts;
  for (const auto& [name, schema] : testing::good_schemas())
    walk_schema(engine, *demo_tokenizer(), name, schema, num_walks(), counts);
  EXPECT_GT(counts.whole, 9 * counts.cut);
  std::printf("%u whole texts, %u cut\n", counts.whole, counts.cut);
}

TEST(GrammarWalk, WithAllTokensOfGptOssToo) {
  GrammarEngine engine(Tokenizer::o200k_harmony());
  Counts counts;
  for (const auto& [name, schema] : testing::good_schemas())
    walk_schema(engine, *Tokenizer::o200k_harmony(), name, schema, num_walks() / 4, counts);
  EXPECT_GT(counts.whole, 9 * counts.cut);
  std::printf("%u whole texts, %u cut\n", counts.whole, counts.cut);
}

TEST(GrammarWalk, ExpressionsChoicesAndGrammars) {
  GrammarEngine engine(demo_tokenizer());
  const std::string numbers = "start: item (\",\" item){0,4}\nitem: /[0-9]{1,3}/";
  const std::string gbnf = "root ::= \"<\" word (\", \" word){0,3} \">\"\nword ::= [a-zé]{1,4} | \"\\\"\" . \"\\\"\"";
  const struct {
    GrammarSpec spec;
    const char* regex;
  } rows[] = {
      {*GrammarSpec::regex("[a-c]{2,4}(-[0-9]+)?"), "[a-c]{2,4}(-[0-9]+)?"},
      {*GrammarSpec::choice({"yes", "no", "a/b (c)", "don't know"}), "yes|no|a/b \\(c\\)|don't know"},
      {*GrammarSpec::lark(numbers), "[0-9]{1,3}(,[0-9]{1,3}){0,4}"},
      {*GrammarSpec::gbnf(gbnf), "<([a-z\xC3\xA9]{1,8}|\"[^]*\")(, ([a-z\xC3\xA9]{1,8}|\"[^]*\")){0,3}>"},
  };
  for (const auto& row : rows) {
    const auto compiled = engine.compile(row.spec);
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    WalkSampler sampler(*demo_tokenizer(), 3);
    for (uint32_t i = 0; i < num_walks(); ++i) {
      const auto tokens = walk(*(*compiled)->clone(), sampler, 500);
      if (!tokens) continue;
      const std::string written = text_of(*demo_tokenizer(), *tokens);
      EXPECT_TRUE(std::regex_match(written, std::regex(row.regex))) << row.spec.text << "\n" << written;
    }
  }
}

TEST(GrammarWalk, FieldsComeInTheSchemasOrder) {
  GrammarEngine engine(demo_tokenizer());
  const auto compiled = engine.compile(*GrammarSpec::json_schema(*parse_schema(
      R"({"type":"object","properties":{"z":{"const":1},"a":{"const":2},"m":{"const":3}},"required":["a","m","z"],
          "additionalProperties":false})")));
  WalkSampler sampler(*demo_tokenizer(), 5);
  for (int i = 0; i < 10; ++i) {
    const std::string written = text_of(*demo_tokenizer(), *walk(*(*compiled)->clone(), sampler, 300));
    EXPECT_LT(written.find("\"z\""), written.find("\"a\"")) << written;
    EXPECT_LT(written.find("\"a\""), written.find("\"m\"")) << written;
  }
}

/// Whether the schema's grammar takes all of `text`.
bool takes(GrammarEngine& engine, const char* schema, const std::string& text) {
  const auto compiled = engine.compile(*GrammarSpec::json_schema(*parse_schema(schema)));
  EXPECT_TRUE(compiled.ok()) << compiled.error().message;
  const auto constraint = (*compiled)->clone();
  std::vector<TokenId> tokens;
  demo_tokenizer()->encode(text, tokens);
  for (const TokenId token : tokens)
    if (!constraint->accept(token).ok()) return false;
  return constraint->may_end();
}

/// "\\u0062" is "b": what a schema says of one holds for the other.
TEST(GrammarWalk, ANameHasOneWayOfWriting) {
  GrammarEngine engine(demo_tokenizer());
  const char* const open = R"({"type":"object","properties":{"b":{"type":"integer"}}})";
  EXPECT_TRUE(takes(engine, open, R"({"b":1,"bb":"a\n"})"));
  EXPECT_TRUE(takes(engine, open, R"({"b":1,"bb":"\u001b[1m"})")) << "texts keep the escapes that they need";
  EXPECT_TRUE(takes(engine, open, R"({"b":1,"\n":{},"\u001f":0})"));
  EXPECT_TRUE(takes(engine, open, R"({"b":1,"é":0})"));
  EXPECT_FALSE(takes(engine, open, R"({"\u0062":"text"})"));
  EXPECT_FALSE(takes(engine, open, R"({"b":"text"})"));
  EXPECT_TRUE(takes(engine, open, R"({"c":"text"})"));

  const char* const texts =
      R"({"type":"object","properties":{"b":{"type":"integer"}},"additionalProperties":{"type":"string"}})";
  EXPECT_TRUE(takes(engine, texts, R"({"b":1,"c":"a\n\"é"})"));
  EXPECT_FALSE(takes(engine, texts, R"({"b":1,"c":2})"));
  EXPECT_FALSE(takes(engine, texts, R"({"\u0062":"text"})"));

  const char* const patterns =
      R"({"type":"object","properties":{"xb":{"type":"integer"}},"patternProperties":{"^y":{"type":"null"}}})";
  EXPECT_TRUE(takes(engine, patterns, R"({"xb":1,"y":null,"z":[]})"));
  EXPECT_FALSE(takes(engine, patterns, R"({"x\u0062":"text"})"));
  EXPECT_FALSE(takes(engine, patterns, R"({"\u0079":1})"));

  const char* const control = R"({"type":"object","properties":{"a\n":{"type":"integer"}}})";
  EXPECT_TRUE(takes(engine, control, R"({"a\n":1})"));
  EXPECT_FALSE(takes(engine, control, R"({"a\u000a":"text"})"));

  // Parts of one whole: what one leaves open the other may close or narrow.
  const char* const both = R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}}},)"
                           R"({"properties":{"b":{"type":"null"}},"additionalProperties":{"type":"integer"}}]})";
  EXPECT_TRUE(takes(engine, both, R"({"a":1,"b":null,"c":3})"));
  EXPECT_FALSE(takes(engine, both, R"({"a":1,"c":"text"})"));
  const char* const closed = R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}}},)"
                             R"({"properties":{"a":true,"b":true},"additionalProperties":false}]})";
  EXPECT_TRUE(takes(engine, closed, R"({"a":1,"b":"text"})"));
  EXPECT_FALSE(takes(engine, closed, R"({"a":1,"c":1})"));
}

/// Nothing but white space where it may stand: it ends by itself.
TEST(GrammarWalk, WhiteSpaceIsBounded) {
  GrammarEngine engine(demo_tokenizer());
  const auto compiled = engine.compile(GrammarSpec::json_object());
  const auto constraint = (*compiled)->clone();
  ASSERT_TRUE(constraint->accept(*demo_tokenizer()->text_token("{")).ok());
  const TokenId space = *demo_tokenizer()->text_token(" ");
  int spaces = 0;
  while (spaces < 100 && (*constraint->allowed())->allows(space)) {
    ASSERT_TRUE(constraint->accept(space).ok());
    ++spaces;
  }
  EXPECT_GE(spaces, 1);
  EXPECT_LE(spaces, 8);
  ASSERT_TRUE(constraint->accept(*demo_tokenizer()->text_token("}")).ok());
  EXPECT_TRUE(constraint->must_end());
  EXPECT_FALSE((*constraint->allowed())->allows(space));
}

TEST(GrammarWalk, ARefusedTokenChangesNothing) {
  GrammarEngine engine(demo_tokenizer());
  const auto constraint = (*engine.compile(GrammarSpec::json_object()))->clone();
  EXPECT_FALSE(constraint->accept(*demo_tokenizer()->text_token("x")).ok());
  EXPECT_FALSE(constraint->accept(0xFFFFFFFFu).ok());
  EXPECT_TRUE(constraint->accept(*demo_tokenizer()->text_token("{")).ok());
  const auto other = constraint->clone();
  EXPECT_TRUE(constraint->accept(*demo_tokenizer()->text_token("}")).ok());
  EXPECT_TRUE(constraint->must_end());
  EXPECT_FALSE(other->must_end());
}

TEST(GrammarWalk, WhoWaitsTooLongIsToldSo) {
  json::array names;
  for (int i = 0; i < 9000; ++i) names.push_back(json::value("value number " + std::to_string(i)));
  json::object schema;
  schema["enum"] = names;
  const GrammarSpec slow = GrammarSpec::json_schema(schema).value();  // some 30 ms
  GrammarEngine engine(demo_tokenizer(), {.deadline_seconds = 0.001});
  ASSERT_TRUE(engine.warm_up().ok());
  for (int i = 0; i < 3; ++i) {
    const auto compiled = engine.compile(slow);
    ASSERT_FALSE(compiled.ok());
    EXPECT_NE(compiled.error().message.find("could not be compiled within"), std::string::npos);
  }
}

TEST(GrammarWalk, ACompiledGrammarIsKept) {
  GrammarEngine engine(demo_tokenizer(), {.cached_grammars = 2});
  const auto first = *engine.compile(GrammarSpec::json_object());
  EXPECT_EQ(first, *engine.compile(GrammarSpec::json_object()));
  ASSERT_TRUE(engine.compile(*GrammarSpec::regex("a")).ok());
  EXPECT_EQ(first, *engine.compile(GrammarSpec::json_object()));
  ASSERT_TRUE(engine.compile(*GrammarSpec::regex("b")).ok());  // "a" goes: it was used least lately
  EXPECT_EQ(first, *engine.compile(GrammarSpec::json_object()));
  ASSERT_TRUE(engine.compile(*GrammarSpec::regex("a")).ok());
  ASSERT_TRUE(engine.compile(*GrammarSpec::regex("b")).ok());
  EXPECT_NE(first, *engine.compile(GrammarSpec::json_object()));
}

}  // namespace
}  // namespace gossamer::grammar
