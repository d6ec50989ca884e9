#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/o200k_harmony.h"
#include "tokenizer/published_vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {
namespace {

using testing::HasSubstr;

/// A vocabulary with its texts.
struct OwnedVocabulary {
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;

  void add(std::string token, int32_t type) {
    tokens.push_back(std::move(token));
    types.push_back(type);
  }
  GgufVocabulary view() const {
    return {"gpt2", "gpt-4o", {tokens.begin(), tokens.end()}, types, {merges.begin(), merges.end()}};
  }
  Result<std::shared_ptr<const Tokenizer>> load(uint32_t head_rows) const {
    return Tokenizer::from_gguf(view(), head_rows, "toy.gguf");
  }
};

/// As test models have it: 256 bytes, one merge, fillers that no text becomes, two special tokens.
OwnedVocabulary toy(size_t head_rows) {
  OwnedVocabulary toy;
  for (unsigned byte = 0; byte < 256; ++byte) toy.add(test::printable(std::string(1, static_cast<char>(byte))), 1);
  toy.add(test::printable(" t"), 1);
  toy.merges.push_back(test::printable(" ") + " t");
  while (toy.tokens.size() < head_rows - 2) toy.add("filler" + std::to_string(toy.tokens.size()), 1);
  toy.add("<|endoftext|>", 3);
  toy.add("<|return|>", 3);
  return toy;
}

OwnedVocabulary o200k() {
  OwnedVocabulary o200k;
  for (std::string& token : test::o200k_printable_tokens()) o200k.add(std::move(token), 1);
  const SpecialTokens specials = o200k_special_tokens();
  for (const auto& [id, name] : specials.tokens()) o200k.add(name, 3);
  while (o200k.tokens.size() < kO200kHeadRows) o200k.add("[PAD" + std::to_string(o200k.tokens.size()) + "]", 5);
  for (const auto& [left, right] : test::o200k_printable_merges()) o200k.merges.push_back(left + " " + right);
  return o200k;
}

TEST(GgufVocabulary, Toy) {
  const auto loaded = toy(512).load(512);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const Tokenizer& tokenizer = **loaded;
  EXPECT_EQ(tokenizer.head_rows(), 512u);
  EXPECT_EQ(tokenizer.encode("to t"), (std::vector<TokenId>{'t', 'o', 256}));
  EXPECT_EQ(tokenizer.special("<|return|>"), 511u);
  EXPECT_EQ(tokenizer.kind(510), TokenKind::kSpecial);
  EXPECT_EQ(tokenizer.kind(300), TokenKind::kText);
  EXPECT_EQ(tokenizer.token_bytes(300), "filler300");
}

TEST(GgufVocabulary, OfGptOssIsTheBuiltInTokenizer) {
  const OwnedVocabulary vocabulary = o200k();
  ASSERT_EQ(vocabulary.merges.size(), kO200kMerges);
  const auto loaded = vocabulary.load(kO200kHeadRows);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(*loaded, Tokenizer::o200k_harmony());
}

TEST(GgufVocabulary, NearlyThatOfGptOssIsItsOwn) {
  const auto built_in = built_in_o200k();
  OwnedVocabulary vocabulary = o200k();
  std::swap(vocabulary.merges[400000],
            vocabulary.merges[400001]);  // two ways to make one token: only their order differs
  auto loaded = vocabulary.load(kO200kHeadRows);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_NE(dynamic_cast<const BpeTokenizer&>(**loaded).vocabulary(), built_in->vocabulary());
  const std::string_view sample = "It isn't 1234 times; naïve Größe, 你好,世界! tokenisationally";
  EXPECT_EQ((*loaded)->encode(sample), built_in->encode(sample));
  std::swap(vocabulary.merges[400000], vocabulary.merges[400001]);

  vocabulary.merges.back() = vocabulary.merges[vocabulary.merges.size() - 2];  // one merge twice, another one missing
  loaded = vocabulary.load(kO200kHeadRows);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_NE(dynamic_cast<const BpeTokenizer&>(**loaded).vocabulary(), built_in->vocabulary());

  vocabulary.types[kO200kHeadRows - 1] = 3;  // one more name
  vocabulary.merges = o200k().merges;
  loaded = vocabulary.load(kO200kHeadRows);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(dynamic_cast<const BpeTokenizer&>(**loaded).vocabulary(), built_in->vocabulary());
  EXPECT_EQ((*loaded)->special("[PAD201087]"), 201087u);
}

TEST(GgufVocabulary, TypesMayBeAbsentButNotTooFew) {
  OwnedVocabulary vocabulary = toy(300);
  vocabulary.tokens.resize(298);
  vocabulary.types.clear();
  EXPECT_TRUE(vocabulary.load(300).ok());
  vocabulary.types.assign(5, 1);
  const auto loaded = vocabulary.load(300);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().message, "toy.gguf: it has 298 tokens, but types for 5");
}

TEST(GgufVocabulary, Errors) {
  GgufVocabulary other_model = toy(300).view();
  other_model.model = "llama";
  EXPECT_THAT(Tokenizer::from_gguf(other_model, 300, "x").error().message, HasSubstr("of the kind \"llama\""));

  const OwnedVocabulary owner = toy(300);
  GgufVocabulary other_split = owner.view();
  other_split.pre = "qwen2";
  EXPECT_THAT(Tokenizer::from_gguf(other_split, 300, "x").error().message, HasSubstr("splits text as \"qwen2\""));

  OwnedVocabulary spoilt = toy(300);
  spoilt.types[7] = 6;
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("token 7"));
  spoilt = toy(300);
  spoilt.types[65] = 5;
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("no token for the byte 0x41"));
  spoilt = toy(300);
  spoilt.tokens[270] = spoilt.tokens[271];
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("tokens 270 and 271 have the same bytes"));
  spoilt = toy(300);
  spoilt.tokens[299] = spoilt.tokens[298];
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("are both named <|endoftext|>"));
  spoilt = toy(300);
  spoilt.merges[0] = "tt";
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("merge 0 (\"tt\") is not two tokens"));
  spoilt = toy(300);
  spoilt.merges[0] = "t t";
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("the two together are not a token"));
  spoilt = toy(300);
  spoilt.tokens[270] = "bad\xFF\n";
  EXPECT_THAT(spoilt.load(300).error().message, HasSubstr("token 270 (\"bad\uFFFD?\") has a character outside"));
  EXPECT_THAT(toy(300).load(200).error().message, HasSubstr("the model's head has only 200 rows"));
}

}  // namespace
}  // namespace gossamer
