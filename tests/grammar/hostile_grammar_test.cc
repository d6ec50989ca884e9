/// Schemas and expressions that are made to hurt end with an error or a grammar, in time and without eating memory.

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "grammar/grammar_engine.h"
#include "grammar/grammar_walk.h"
#include "grammar/schema_check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define GOSSAMER_HAS_QUARANTINE
#endif
#endif

namespace gossamer::grammar {
namespace {

using testing::demo_tokenizer;

std::string repeated(const std::string& piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

/// Every alternative of one may stand beside every one of the others.
std::string crossed_alternatives(int factors, int alternatives) {
  std::string all;
  for (int f = 0; f < factors; ++f) {
    std::string any;
    for (int a = 0; a < alternatives; ++a)
      any += (a ? "," : "") + (R"({"properties":{"p)" + std::to_string(f * 100 + a)) + R"(":{"type":"integer"}}})";
    all += (f ? R"(,{"anyOf":[)" : R"({"anyOf":[)") + any + "]}";
  }
  return R"({"type":"object","allOf":[)" + all + "]}";
}

std::string doubling_references(int levels) {
  std::string defs;
  for (int i = 0; i < levels; ++i) {
    const std::string next = "{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"}";
    defs += "\"d" + std::to_string(i) + R"(":{"type":"object","properties":{"a":)" + next + ",\"b\":" + next +
            R"(},"required":["a","b"]},)";
  }
  defs += "\"d" + std::to_string(levels) + R"(":{"type":"null"})";
  return R"({"$ref":"#/$defs/d0","$defs":{)" + defs + "}}";
}

std::vector<GrammarSpec> hostile_specs() {
  std::vector<GrammarSpec> specs;
  const auto add_schema = [&](const std::string& text) {
    const auto schema = parse_schema(text);
    if (!schema.ok()) return;
    if (auto spec = GrammarSpec::json_schema(*schema); spec.ok()) specs.push_back(*spec);
  };
  std::string names;
  for (int i = 0; i < 9000; ++i) names += (i ? ",\"value number " : "\"value number ") + std::to_string(i) + "\"";
  add_schema(R"({"enum":[)" + names + "]}");
  add_schema(crossed_alternatives(6, 8));
  add_schema(crossed_alternatives(12, 12));
  add_schema(doubling_references(40));
  add_schema(R"({"type":"string","minLength":99999,"maxLength":100000})");
  add_schema(R"({"type":"array","items":{"type":"array","items":{"type":"integer"},"minItems":9999},"minItems":9999})");
  add_schema(R"({"type":"string","pattern":"((a{1,100}){1,100}){1,100}"})");
  add_schema(R"({"type":"string","pattern":"(.*a){40}.{300}"})");
  add_schema(R"({"type":"string","pattern":"(a|a?)+$"})");
  add_schema(R"({"type":"string","pattern":"(?=a)b"})");
  add_schema(R"({"type":"integer","multipleOf":0.0000001,"minimum":0.12345})");
  add_schema(repeated(R"({"items":)", 60) + "{}" + repeated("}", 60));
  add_schema(repeated(R"({"allOf":[)", 30) + "{}" + repeated("]}", 30));
  add_schema(repeated(R"({"anyOf":[{},)", 30) + "{}" + repeated("]}", 30));
  for (const std::string expression :
       {"(a{1000}){1000}", "((a|b)*c){500}d", "(.*x){60}y{60}", "(?:(?:a?){60}){60}a{60}", "(a", "\\", "[", "(?<=a)b",
        "(a)\\1", "\\p{L}{500}[^\\p{N}]{500}"})
    if (auto spec = GrammarSpec::regex(expression); spec.ok()) specs.push_back(*spec);
  for (const std::string grammar :
       {"start: start start | \"a\"", "start: start", "start: a\na: b\nb: a", "start: /a/{100000}", "start",
        "%import nothing.X", "start: <|call|> <[200012]>", "start: \"\"*", "start: (((\"a\"*)*)*)*"})
    if (auto spec = GrammarSpec::lark(grammar); spec.ok()) specs.push_back(*spec);
  return specs;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

uint64_t resident_bytes() {
  uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Freed memory goes back to the system. The address sanitizer keeps some of it, lest it be used again: that too.
void let_go_of_freed_memory() {
#ifdef GOSSAMER_HAS_QUARANTINE
  __sanitizer_purge_allocator();
#else
  malloc_trim(0);
#endif
}

/// What is held: grammars that were given up are still being compiled for a while, each with some tens of megabytes,
/// and freed memory goes back to the system when it is asked to.
uint64_t settled_bytes() {
  uint64_t least = ~uint64_t{0};
  for (int i = 0; i < 30; ++i) {
    let_go_of_freed_memory();
    least = std::min(least, resident_bytes());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return least;
}

TEST(HostileGrammar, EndsInTimeAndIsFollowedOrRefused) {
  GrammarEngine engine(demo_tokenizer(), {.deadline_seconds = 2});
  ASSERT_TRUE(engine.compile(*GrammarSpec::regex("a")).ok());  // the vocabulary
  testing::WalkSampler sampler(*demo_tokenizer(), 7);
  const double patience = std::getenv("GOSSAMER_SLOW_BUILD") ? 30 : 4;
  for (const GrammarSpec& spec : hostile_specs()) {
    const auto begin = std::chrono::steady_clock::now();
    const auto compiled = engine.compile(spec);
    EXPECT_LT(seconds_since(begin), patience) << spec.text.substr(0, 80);
    std::printf("%6.3f s  %-60s %s\n", seconds_since(begin), spec.text.substr(0, 60).c_str(),
                compiled.ok() ? "taken" : compiled.error().message.substr(0, 100).c_str());
    if (!compiled.ok()) {
      EXPECT_FALSE(compiled.error().message.empty());
      continue;
    }
    const auto constraint = (*compiled)->clone();
    for (int i = 0; i < 60 && !constraint->must_end(); ++i) {  // a mask may be refused, and must not take for ever
      const auto step = std::chrono::steady_clock::now();
      const auto mask = constraint->allowed();
      EXPECT_LT(seconds_since(step), patience) << spec.text.substr(0, 80);
      if (!mask.ok() || (*mask)->count() == 0) break;
      if (!constraint->accept(sampler.draw(**mask)).ok()) break;
    }
  }
}

TEST(HostileGrammar, MemoryStaysFlat) {
  GrammarEngine engine(demo_tokenizer(), {.cached_grammars = 2});
  const std::vector<GrammarSpec> specs = hostile_specs();
  uint64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    for (const GrammarSpec& spec : specs) (void)engine.compile(spec);
    if (round == 2) before = settled_bytes();
  }
  const auto growth = static_cast<int64_t>(settled_bytes()) - static_cast<int64_t>(before);
  std::printf("three more rounds took %.1f MB\n", static_cast<double>(growth) / 1e6);
  EXPECT_LT(growth, 100 << 20);
}

}  // namespace
}  // namespace gossamer::grammar
