/// How long the mask for the next token takes over gpt-oss's 201,088 tokens: frames, and a schema inside them. No
/// model: tokens are drawn from the masks.
///
///     build/release/bench/bench_masks [tokens]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "grammar/grammar_engine.h"
#include "grammar/schema_check.h"
#include "harmony/frame_automaton.h"

namespace {

using namespace gossamer;
using Clock = std::chrono::steady_clock;

double us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

/// Draws as a model does that likes short texts: quotes, brackets and enders in a third of the draws.
class Drawer {
 public:
  explicit Drawer(const Tokenizer& tokenizer) {
    for (std::string_view name : {"<|return|>", "<|call|>", "<|end|>", "<|message|>"})
      liked_.push_back(*tokenizer.special(name));
    for (const char closer : std::string_view("\"}],:")) liked_.push_back(*tokenizer.text_token({&closer, 1}));
  }

  TokenId draw(const TokenMask& mask) {
    if (random_() % 3 == 0)
      for (TokenId token : liked_)
        if (mask.allows(token)) return token;
    for (int tries = 0; tries < 64; ++tries)
      if (const TokenId token = random_() % mask.vocab_size(); mask.allows(token)) return token;
    TokenId token = random_() % mask.vocab_size();
    while (!mask.allows(token)) token = (token + 1) % mask.vocab_size();
    return token;
  }

 private:
  std::mt19937 random_{1};
  std::vector<TokenId> liked_;
};

void print_row(const char* what, std::vector<double> values) {
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (double value : values) sum += value;
  const auto at = [&](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  };
  fmt::print("{:<34} {:>8} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.1f}\n", what, values.size(),
             sum / static_cast<double>(values.size()), at(0.5), at(0.99), values.back());
}

void measure(const char* what, const TokenConstraint& prototype, const Tokenizer& tokenizer, size_t wanted) {
  Drawer drawer(tokenizer);
  std::vector<double> mask_us, accept_us, clone_us;
  while (mask_us.size() < wanted) {
    const auto begin = Clock::now();
    const auto constraint = prototype.clone();
    clone_us.push_back(us_between(begin, Clock::now()));
    for (int i = 0; i < 400 && !constraint->must_end(); ++i) {
      const auto before = Clock::now();
      const Result<const TokenMask*> mask = constraint->allowed();
      const auto after = Clock::now();
      if (!mask.ok()) {
        fmt::print("{}\n", mask.error().message);
        break;
      }
      mask_us.push_back(us_between(before, after));
      const TokenId token = drawer.draw(**mask);
      const auto accepting = Clock::now();
      if (!constraint->accept(token).ok()) break;
      accept_us.push_back(us_between(accepting, Clock::now()));
    }
  }
  print_row(what, mask_us);
  print_row("  accept", accept_us);
  print_row("  clone", clone_us);
}

constexpr const char* kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":40},"age":{"type":"integer","minimum":0,
        "maximum":150},"tags":{"type":"array","items":{"type":"string"},"maxItems":5},"address":{"type":"object","properties":
        {"street":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}$"},"country":{"enum":["DE","FR","US"]}},
        "required":["street","zip","country"],"additionalProperties":false}},"required":["name","age","tags","address"],
        "additionalProperties":false})";

}  // namespace

int main(int argc, char** argv) {
  const size_t wanted = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20'000;
  const auto tokenizer = Tokenizer::o200k_harmony();
  const auto start = Clock::now();
  const auto vocabulary = harmony::FrameVocabulary::create(tokenizer).value();
  fmt::print("frames' vocabulary, once: {:.1f} ms\n", us_between(start, Clock::now()) / 1e3);

  harmony::FrameRules few, many;
  few.recipients = {"functions.get_weather", "functions.search", "python"};
  constexpr const char* kVerbs[] = {"get", "create", "update", "delete", "search", "list", "send", "schedule"};
  for (int i = 0; i < 128; ++i)
    many.recipients.push_back(fmt::format("functions.{}_{}_records_of_the_customer_platform", kVerbs[i % 8], i));
  fmt::print("{:<34} {:>8} {:>9} {:>9} {:>9} {:>9}\n", "mask, microseconds", "tokens", "mean", "p50", "p99", "max");
  measure("frames, 3 tools", *harmony::FrameAutomaton::create(vocabulary, few).value(), *tokenizer, wanted);
  measure("frames, 128 tools", *harmony::FrameAutomaton::create(vocabulary, many).value(), *tokenizer, wanted);

  grammar::GrammarEngine engine(tokenizer);
  const auto loading = Clock::now();
  const auto object = engine.compile(grammar::GrammarSpec::json_object());
  if (!object.ok()) {
    fmt::print("{}\n", object.error().message);
    return 1;
  }
  const auto compiling = Clock::now();
  few.final_body = *engine.compile(*grammar::GrammarSpec::json_schema(*grammar::parse_schema(kSchema)));
  fmt::print("grammars' vocabulary, once: {:.1f} ms; a schema: {:.2f} ms\n", us_between(loading, compiling) / 1e3,
             us_between(compiling, Clock::now()) / 1e3);
  measure("frames and a schema", *harmony::FrameAutomaton::create(vocabulary, few).value(), *tokenizer, wanted);
  measure("the schema alone", *few.final_body, *tokenizer, wanted);
  measure("any JSON object", **object, *tokenizer, wanted);
}
