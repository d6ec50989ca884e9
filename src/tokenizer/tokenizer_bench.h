#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace gossamer {

/// What texts look like to a tokenizer. The texts are made up from the vocabulary of o200k_harmony, the same every
/// time: words as often as Zipf's law has it, one in fourteen of them no token of its own.
enum class BenchText { kProse, kCode, kMixedScripts };
inline constexpr BenchText kBenchTexts[] = {BenchText::kProse, BenchText::kCode, BenchText::kMixedScripts};

/// "prose", "code", "mixed scripts"
std::string_view bench_text_name(BenchText kind);
/// A little more than `size_bytes` of it.
std::string make_bench_text(BenchText kind, size_t size_bytes);

struct TokenizerBenchRow {
  std::string name;  ///< of the text
  uint64_t text_bytes = 0;
  uint64_t num_tokens = 0;
  double encode_mb_per_second = 0;
  double decode_mb_per_second = 0;
};

/// Encodes and decodes on one thread: `text` where it is not empty, else 2 MiB of each made-up text. `seconds` is for
/// each row, half of it for encoding. What is measured is the best of several passes: the others were disturbed.
std::vector<TokenizerBenchRow> run_tokenizer_bench(const Tokenizer& tokenizer, std::string_view text, double seconds);

}  // namespace gossamer
