#include "tokenizer/tokenizer_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer {
namespace {

constexpr size_t kBenchTextBytes = 2 << 20;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_foreign(char c) {
  return static_cast<signed char>(c) < 0;
}

/// Tokens that texts are made of, the frequent ones first.
struct WordLists {
  std::vector<std::string_view> words;    // "the", from tokens with a space before them
  std::vector<std::string_view> endings;  // "ing"
  std::vector<std::string_view> foreign;  // no ASCII but a space before them

  WordLists() {
    const TokenTable& tokens = built_in_o200k()->vocabulary()->tokens();
    for (TokenId id = 0; id < tokens.num_ids(); ++id) {
      const std::string_view bytes = tokens.bytes(id);
      const bool spaced = bytes.front() == ' ';
      const std::string_view letters = bytes.substr(spaced ? 1 : 0);
      if (letters.empty()) continue;
      if (std::all_of(letters.begin(), letters.end(), is_lower)) (spaced ? words : endings).push_back(letters);
      if (std::all_of(letters.begin(), letters.end(), is_foreign) && utf8_valid(letters)) foreign.push_back(bytes);
    }
  }
};

class TextMaker {
 public:
  void sentence(std::string& text) {
    std::string word = english();
    word[0] = static_cast<char>(word[0] - 'a' + 'A');
    text += word;
    for (uint64_t more = 5 + below(20); more > 0; --more) {
      text += one_in(12) ? ", " : " ";
      text += one_in(40) ? std::to_string(below(3000)) : english();
    }
    text += one_in(6) ? ".\n\n" : ". ";
  }

  void line_of_code(std::string& text) {
    text.append(4 * below(4), ' ');
    text += identifier() + (one_in(2) ? " = " : one_in(2) ? "." : "->") + identifier() + "(";
    for (uint64_t arguments = below(4); arguments > 0; --arguments) text += one_in(3) ? "0, " : identifier() + ", ";
    text += one_in(5) ? ") {\n" : one_in(8) ? ");\n\n" : ");\n";
  }

  void foreign_line(std::string& text) {
    for (uint64_t words = 4 + below(12); words > 0; --words) text += zipf(lists_.foreign);
    text += one_in(3) ? "。" : one_in(2) ? ". " : "\n";
  }

 private:
  /// splitmix64
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t end) { return next() % end; }
  bool one_in(uint64_t n) { return below(n) == 0; }

  /// The k-th with a probability of about 1 / k.
  std::string_view zipf(const std::vector<std::string_view>& list) {
    const double uniform = static_cast<double>(next() >> 11) * 0x1p-53;
    const double k = std::exp(uniform * std::log(static_cast<double>(list.size())));
    return list[std::min(static_cast<size_t>(k) - 1, list.size() - 1)];
  }
  std::string english() {
    std::string word(zipf(lists_.words));
    if (one_in(14)) word += zipf(lists_.endings);
    return word;
  }
  std::string identifier() {
    std::string name(zipf(lists_.words));
    if (one_in(3)) name.append("_").append(zipf(lists_.endings));
    return name;
  }

  WordLists lists_;
  uint64_t state_ = 1;
};

/// The shortest time that `work` takes, in seconds.
double best_seconds(double budget_seconds, auto work) {
  using Seconds = std::chrono::duration<double>;
  const auto begin = std::chrono::steady_clock::now();
  double best = std::numeric_limits<double>::infinity();
  for (auto now = begin; Seconds(now - begin).count() < budget_seconds || now == begin;) {
    work();
    const auto after = std::chrono::steady_clock::now();
    best = std::min(best, Seconds(after - now).count());
    now = after;
  }
  return best;
}

TokenizerBenchRow measure(const Tokenizer& tokenizer, std::string_view name, std::string_view text, double seconds) {
  std::vector<TokenId> ids;
  const double encode_seconds = best_seconds(seconds / 2, [&] {
    ids.clear();
    tokenizer.encode(text, ids);
  });
  std::string bytes;
  const double decode_seconds = best_seconds(seconds / 2, [&] { bytes = tokenizer.decode_bytes(ids); });
  const auto megabytes = static_cast<double>(text.size()) / 1e6;
  return {std::string(name), text.size(), ids.size(), megabytes / encode_seconds, megabytes / decode_seconds};
}

}  // namespace

std::string_view bench_text_name(BenchText kind) {
  switch (kind) {
    case BenchText::kProse:
      return "prose";
    case BenchText::kCode:
      return "code";
    case BenchText::kMixedScripts:
      return "mixed scripts";
  }
  return "?";
}

std::string make_bench_text(BenchText kind, size_t size_bytes) {
  TextMaker maker;
  std::string text;
  while (text.size() < size_bytes) {
    switch (kind) {
      case BenchText::kProse:
        maker.sentence(text);
        break;
      case BenchText::kCode:
        maker.line_of_code(text);
        break;
      case BenchText::kMixedScripts:
        maker.foreign_line(text);
        break;
    }
  }
  return text;
}

std::vector<TokenizerBenchRow> run_tokenizer_bench(const Tokenizer& tokenizer, std::string_view text, double seconds) {
  if (!text.empty()) return {measure(tokenizer, "text", text, seconds)};
  std::vector<TokenizerBenchRow> rows;
  for (const BenchText kind : kBenchTexts)
    rows.push_back(measure(tokenizer, bench_text_name(kind), make_bench_text(kind, kBenchTextBytes), seconds));
  return rows;
}

}  // namespace gossamer
