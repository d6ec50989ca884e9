/// What holds for every text and every token: round trips, names, and that text is only ever text.

#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/utf8.h"

namespace gossamer {
namespace {

bool all_text(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  return std::all_of(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer.kind(id) == TokenKind::kText; });
}

std::vector<TokenId> with_specials(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  tokenizer.encode_with_specials(text, ids);
  return ids;
}

void append_utf8(uint32_t code_point, std::string& out) {
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
    return;
  }
  const int rest = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[rest] | code_point >> (6 * rest)));
  for (int i = rest - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (code_point >> (6 * i) & 0x3F)));
}

std::string random_text(std::mt19937& random) {
  std::string text;
  for (unsigned n = random() % 80; n > 0; --n) {
    const unsigned kind = random() % 8;
    uint32_t code_point = kind < 4 ? random() % 0x80 : kind < 6 ? random() % 0x3000 : random() % 0x110000;
    if (code_point >= 0xD800 && code_point < 0xE000) code_point = 0xFFFD;
    append_utf8(code_point, text);
  }
  return text;
}

TEST(Tokenizer, EncodeThenDecodeIsTheText) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_text(random);
    const auto ids = tokenizer->encode(text);
    ASSERT_EQ(tokenizer->decode_bytes(ids), text);
    ASSERT_TRUE(all_text(*tokenizer, ids));
  }
}

TEST(Tokenizer, EncodingDoesNotDependOnWhatWasEncodedBefore) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::mt19937 random(3);
  std::vector<std::string> texts(300);
  std::vector<std::vector<TokenId>> first(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i] = random_text(random);
    first[i] = tokenizer->encode(texts[i]);
  }
  const auto check = [&] {
    for (size_t i = texts.size(); i-- > 0;) ASSERT_EQ(tokenizer->encode(texts[i]), first[i]);
  };
  check();
  std::thread(check).join();  // with nothing cached
}

TEST(Tokenizer, AppendsToWhatIsThere) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::vector<TokenId> ids = {7};
  tokenizer->encode("Hello world", ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{7, 13225, 2375}));
}

TEST(Tokenizer, EveryIdOfTheHeadHasAKind) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  ASSERT_EQ(tokenizer->head_rows(), 201088u);
  ASSERT_EQ(tokenizer->named_tokens(), 200019u);
  for (TokenId id = 0; id < tokenizer->head_rows() + 10; ++id) {
    const TokenKind expected = id < 199998    ? TokenKind::kText
                               : id <= 200018 ? TokenKind::kSpecial
                                              : TokenKind::kUnnamed;
    ASSERT_EQ(tokenizer->kind(id), expected) << id;
    ASSERT_EQ(tokenizer->token_bytes(id).empty(), expected == TokenKind::kUnnamed) << id;
  }
  EXPECT_EQ(tokenizer->kind(0xFFFFFFFFu), TokenKind::kUnnamed);
  EXPECT_EQ(tokenizer->token_bytes(0xFFFFFFFFu), "");
}

TEST(Tokenizer, SpecialTokensGoByName) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  EXPECT_EQ(tokenizer->special("<|startoftext|>"), 199998u);
  EXPECT_EQ(tokenizer->special("<|return|>"), 200002u);
  EXPECT_EQ(tokenizer->special("<|reserved_200017|>"), 200017u);
  EXPECT_EQ(tokenizer->special("<|endofprompt|>"), 200018u);
  EXPECT_EQ(tokenizer->special("<|reserved_200018|>"), std::nullopt);
  EXPECT_EQ(tokenizer->special("the"), std::nullopt);
  for (TokenId id = 199998; id <= 200018; ++id) EXPECT_EQ(tokenizer->special(tokenizer->token_bytes(id)), id);
}

TEST(Tokenizer, TextNeverBecomesASpecialToken) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::mt19937 random(4);
  for (TokenId id = 199998; id <= 200018; ++id) {
    const std::string name(tokenizer->token_bytes(id));
    for (int round = 0; round < 50; ++round) {
      const std::string before = random_text(random), after = random_text(random), text = before + name + after;
      const auto ids = tokenizer->encode(text);
      ASSERT_TRUE(all_text(*tokenizer, ids)) << text;
      ASSERT_EQ(tokenizer->decode_bytes(ids), text);

      const auto special_ids = with_specials(*tokenizer, text);
      ASSERT_EQ(std::count(special_ids.begin(), special_ids.end(), id), 1) << text;
      ASSERT_EQ(tokenizer->decode_bytes(special_ids), text);
    }
  }
}

TEST(Tokenizer, BrokenNamesStayText) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  for (const char* text :
       {"<|start", "<|start|", "<|start|<|", "<start|>", "<|Start|>", "<| start|>", "<|reserved_200019|>", "<|"})
    EXPECT_EQ(with_specials(*tokenizer, text), tokenizer->encode(text)) << text;
  const TokenId start = *tokenizer->special("<|start|>");
  EXPECT_EQ(with_specials(*tokenizer, "<|<|start|>|>").size(),
            tokenizer->encode("<|").size() + 1 + tokenizer->encode("|>").size());
  EXPECT_EQ(with_specials(*tokenizer, "<|start|><|start|>"), (std::vector<TokenId>{start, start}));
}

TEST(Tokenizer, IllFormedTextIsMended) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::mt19937 random(5);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = random_text(random);
    for (int change = 0; change < 3 && !bytes.empty(); ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const std::string mended = utf8_lossy(bytes);
    ASSERT_EQ(tokenizer->encode(bytes), tokenizer->encode(mended));
    ASSERT_EQ(tokenizer->decode_bytes(tokenizer->encode(bytes)), mended);
  }
  EXPECT_EQ(tokenizer->decode_bytes(tokenizer->encode("a\xE4\xBD")), "a\uFFFD");
  EXPECT_EQ(tokenizer->decode_bytes(with_specials(*tokenizer, "\xFF<|end|>\x80")), "\uFFFD<|end|>\uFFFD");
}

TEST(Tokenizer, LongRunsAreNotQuadratic) {
  // Long texts that are one piece; the first is of two megabytes. With quadratic merging they would take hours.
  const auto tokenizer = Tokenizer::o200k_harmony();
  for (const std::string_view unit : {"a", "=", "\n", " ", "é", "😀", "ab", "\u0301"}) {
    const size_t size = unit == "a" ? 2 << 20 : 1 << 18;
    std::string text;
    while (text.size() < size) text += unit;
    const auto ids = tokenizer->encode(text);
    EXPECT_EQ(tokenizer->decode_bytes(ids), text);
  }
}

TEST(Tokenizer, ManyOpeningBracketsAreNotQuadratic) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  const std::string text(1 << 18, '<');
  EXPECT_EQ(with_specials(*tokenizer, text), tokenizer->encode(text));
}

}  // namespace
}  // namespace gossamer
