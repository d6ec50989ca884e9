#include "tokenizer/tokenizer_bench.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace gossamer {
namespace {

TEST(TokenizerBench, MakesTheSameTextEachTime) {
  for (const BenchText kind : kBenchTexts) {
    const std::string text = make_bench_text(kind, 50000);
    EXPECT_GE(text.size(), 50000u);
    EXPECT_LT(text.size(), 52000u);
    EXPECT_TRUE(utf8_valid(text));
    EXPECT_EQ(make_bench_text(kind, 50000), text);
  }
}

TEST(TokenizerBench, MeasuresEachTextOrTheGivenOne) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  const auto rows = run_tokenizer_bench(*tokenizer, "", 0);
  ASSERT_EQ(rows.size(), 3u);
  for (const TokenizerBenchRow& row : rows) {
    EXPECT_GT(row.num_tokens, row.text_bytes / 20) << row.name;
    EXPECT_GT(row.encode_mb_per_second, 0) << row.name;
    EXPECT_GT(row.decode_mb_per_second, 0) << row.name;
  }
  const auto given = run_tokenizer_bench(*tokenizer, "Hello world", 0);
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given[0].text_bytes, 11u);
  EXPECT_EQ(given[0].num_tokens, 2u);
}

}  // namespace
}  // namespace gossamer
