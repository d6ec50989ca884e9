/// Where the o200k pattern cuts: the branches, their backtracking and their odd corners. Expected values follow from
/// the pattern; the goldens prove the same through tiktoken.

#include "tokenizer/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace gossamer {
namespace {

std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin != end;) {
    const char* piece_end = o200k_piece_end(begin, end);
    EXPECT_GT(piece_end, begin);
    EXPECT_LE(piece_end, end);
    pieces.emplace_back(begin, piece_end);
    begin = piece_end;
  }
  return pieces;
}

using Pieces = std::vector<std::string>;

TEST(Pretokenizer, WordsTakeOneCharacterBeforeThem) {
  EXPECT_EQ(pieces_of("Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(pieces_of("(a [b \tc"), (Pieces{"(a", " [", "b", " ", "\tc"}));
  EXPECT_EQ(pieces_of("\nfoo"), (Pieces{"\n", "foo"}));  // but no line end
  EXPECT_EQ(pieces_of("1foo"), (Pieces{"1", "foo"}));    // and no number
  EXPECT_EQ(pieces_of("!!foo"), (Pieces{"!!", "foo"}));
}

TEST(Pretokenizer, CapitalsBeginWords) {
  EXPECT_EQ(pieces_of("camelCase HTTPServer ABC Ab aB"),
            (Pieces{"camel", "Case", " HTTPServer", " ABC", " Ab", " a", "B"}));
  // A letter without case (U+4E2D) counts as both, so the greedy run of capitals gives back to the last of them.
  EXPECT_EQ(pieces_of("中AB"), (Pieces{"中", "AB"}));
  EXPECT_EQ(pieces_of("A中BC"), (Pieces{"A中", "BC"}));
  EXPECT_EQ(pieces_of("A中Bc"), (Pieces{"A中Bc"}));
}

TEST(Pretokenizer, MarksArePartOfWordsOrStandBeforeThem) {
  EXPECT_EQ(pieces_of("e\u0301a"), (Pieces{"e\u0301a"}));
  EXPECT_EQ(pieces_of("\u0301abc"), (Pieces{"\u0301abc"}));
  EXPECT_EQ(pieces_of("\u0301ABC"), (Pieces{"\u0301", "ABC"}));  // as a prefix it would leave no lower-case letter
  EXPECT_EQ(pieces_of("\u0301's"), (Pieces{"\u0301's"}));
  EXPECT_EQ(pieces_of("!\u0301"), (Pieces{"!\u0301"}));
  EXPECT_EQ(pieces_of("!!\u0301x"), (Pieces{"!!\u0301", "x"}));
}

TEST(Pretokenizer, Contractions) {
  EXPECT_EQ(pieces_of("I'll don't WE'RE he's you'd I'm they've"),
            (Pieces{"I'll", " don't", " WE'RE", " he's", " you'd", " I'm", " they've"}));
  EXPECT_EQ(pieces_of("y'all'd've"), (Pieces{"y", "'all'd", "'ve"}));
  EXPECT_EQ(pieces_of("it'\u017F"), (Pieces{"it'\u017F"}));  // the long s is an s where case is ignored
  EXPECT_EQ(pieces_of("a'x a' a'l"), (Pieces{"a", "'x", " a", "'", " a", "'l"}));
  EXPECT_EQ(pieces_of("'s"), (Pieces{"'s"}));
}

TEST(Pretokenizer, NumbersInThrees) {
  EXPECT_EQ(pieces_of("1234567 89"), (Pieces{"123", "456", "7", " ", "89"}));
  EXPECT_EQ(pieces_of("½²١٢"), (Pieces{"½²١", "٢"}));
}

TEST(Pretokenizer, PunctuationTakesLineEndsAndSlashes) {
  EXPECT_EQ(pieces_of(" ...\n/\r\n//x"), (Pieces{" ...\n/\r\n//", "x"}));
  EXPECT_EQ(pieces_of("  ..."), (Pieces{" ", " ..."}));
  EXPECT_EQ(pieces_of("\t..."), (Pieces{"\t", "..."}));  // only a space joins punctuation
}

TEST(Pretokenizer, Whitespace) {
  EXPECT_EQ(pieces_of("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(pieces_of("a \n\n  b"), (Pieces{"a", " \n\n", " ", " b"}));
  EXPECT_EQ(pieces_of("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(pieces_of("a\u00a0\u00a01"), (Pieces{"a", "\u00a0", "\u00a0", "1"}));
  EXPECT_EQ(pieces_of("\x1c"), (Pieces{"\x1c"}));  // no white space by Unicode's property
}

TEST(Pretokenizer, UnicodeIs16) {
  // U+1C89 became a letter in Unicode 16.0: "-s" is cut off it only if it is one.
  EXPECT_EQ(pieces_of("\u1C89-s"), (Pieces{"\u1C89", "-s"}));
  // U+10940 came with Unicode 17.0: for us a symbol.
  EXPECT_EQ(pieces_of("\U00010940-s"), (Pieces{"\U00010940-", "s"}));
}

}  // namespace
}  // namespace gossamer
