/// The two ways to merge and the two rules for what merges, against each other and against the definition.

#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include <random>

#include "tokenizer/bpe_merge.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer {
namespace {

struct RankRule {
  const TokenTable& tokens;
  std::string_view piece;
  Merge operator()(const Part& left, const Part& right) const {
    const TokenId id = tokens.find(piece.substr(left.begin, right.end - left.begin));
    return {id, id};
  }
};

/// The definition: the lowest rank, the leftmost of that rank, again and again.
std::vector<TokenId> merge_by_definition(std::string_view piece, const TokenTable& tokens) {
  std::vector<std::string> parts;
  for (const char byte : piece) parts.emplace_back(1, byte);
  for (;;) {
    size_t best = 0;
    TokenId best_rank = kNoToken;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const TokenId rank = tokens.find(parts[i] + parts[i + 1]);
      if (rank < best_rank) best = i, best_rank = rank;
    }
    if (best_rank == kNoToken) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<TokenId> ids;
  for (const std::string& part : parts) ids.push_back(tokens.find(part));
  return ids;
}

TEST(BpeMerge, ShortAndLongPiecesFollowTheDefinition) {
  const TokenTable& tokens = built_in_o200k()->vocabulary()->tokens();
  TokenId byte_ids[256];
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids[byte] = tokens.find({&c, 1});
  }
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string_view letters = round % 3 == 0 ? "ab" : round % 3 == 1 ? "etaoinshr " : "\xE4\xBD\xA0\xE5\xA5\xBD";
    std::string piece(1 + random() % kShortPieceBytes, ' ');
    for (char& byte : piece) byte = letters[random() % letters.size()];
    std::vector<TokenId> by_array, by_heap;
    merge_short_piece(piece, byte_ids, RankRule{tokens, piece}, by_array);
    merge_long_piece(piece, byte_ids, RankRule{tokens, piece}, by_heap);
    const auto expected = merge_by_definition(piece, tokens);
    ASSERT_EQ(by_array, expected) << piece;
    ASSERT_EQ(by_heap, expected) << piece;
  }
}

TEST(TokenTable, FindsEveryTokenAndNothingElse) {
  const TokenTable& tokens = built_in_o200k()->vocabulary()->tokens();
  ASSERT_EQ(tokens.num_ids(), kO200kTextTokens);
  EXPECT_EQ(tokens.num_tokens(), kO200kTextTokens);
  for (TokenId id = 0; id < tokens.num_ids(); ++id) {
    const std::string bytes(tokens.bytes(id));
    ASSERT_EQ(tokens.find(bytes), id);
    const TokenId longer = tokens.find(bytes + '\0');
    ASSERT_TRUE(longer == kNoToken || tokens.bytes(longer) == bytes + '\0');
  }
  EXPECT_EQ(tokens.find(""), kNoToken);
  EXPECT_EQ(tokens.find(std::string(100000, 'q')), kNoToken);
}

TEST(TokenTable, RefusesTwins) {
  const auto table = TokenTable::build("abab", {0, 2, 4}, "twins");
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message, "twins: tokens 0 and 1 have the same bytes");
}

TEST(FlatMaps, RefuseWhatTheyHaveAndFindWhatTheyHave) {
  FlatMap flat(3000);
  PackedMap packed(3000);
  for (uint32_t key = 1; key <= 3000; ++key) {
    ASSERT_EQ(flat.add(key * 7ull << 30, key), Added::kYes);
    ASSERT_EQ(packed.add(key * 7ull << 20, key), Added::kYes);
  }
  EXPECT_EQ(flat.add(7ull << 30, 5), Added::kDuplicate);
  EXPECT_EQ(packed.add(7ull << 20, 5), Added::kDuplicate);
  for (uint32_t key = 1; key <= 6000; ++key) {
    EXPECT_EQ(flat.find(key * 7ull << 30), key <= 3000 ? key : FlatMap::kNotFound);
    EXPECT_EQ(packed.find(key * 7ull << 20), key <= 3000 ? key : PackedMap::kNotFound);
  }
}

}  // namespace
}  // namespace gossamer
