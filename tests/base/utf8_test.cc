#include "base/utf8.h"

#include <gtest/gtest.h>

#include <random>

namespace gossamer {
namespace {

constexpr const char* kBad = "\xEF\xBF\xBD";

TEST(Utf8, EachMaximalBadPieceBecomesOneReplacement) {
  EXPECT_EQ(utf8_lossy("plain é 你 😀"), "plain é 你 😀");
  EXPECT_EQ(utf8_lossy("\x80\x80"), std::string(kBad) + kBad);
  EXPECT_EQ(utf8_lossy("\xC0\xAF"), std::string(kBad) + kBad);  // overlong: no byte of it can begin a character
  EXPECT_EQ(utf8_lossy("\xED\xA0\x80"), std::string(kBad) + kBad + kBad);  // a surrogate
  EXPECT_EQ(utf8_lossy("\xF0\x9F\x98"), kBad);                             // a beginning of a character is one piece
  EXPECT_EQ(utf8_lossy("\xF0\x9F\x98z"), std::string(kBad) + "z");
  EXPECT_EQ(utf8_lossy("\xE4\xBD\xE4\xBD\xA0"), std::string(kBad) + "你");
  EXPECT_EQ(utf8_lossy("\xF4\x90\x80\x80"), std::string(kBad) + kBad + kBad + kBad);  // above U+10FFFF
}

TEST(Utf8, AStreamGivesTheSameTextHoweverItIsCut) {
  std::mt19937 rng(1);
  const std::string pieces[] = {"a", "é", "你", "😀", "\xFF", "\xE4\xBD", "\xF0\x9F", "\xC0", "\x80"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += pieces[rng() % std::size(pieces)];
    std::string streamed;
    Utf8Stream stream;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = 1 + rng() % 3;
      stream.feed(std::string_view(bytes).substr(at, length), streamed);
      EXPECT_TRUE(utf8_valid(streamed));
      at += length;
    }
    stream.flush(streamed);
    EXPECT_EQ(streamed, utf8_lossy(bytes));
    EXPECT_TRUE(utf8_valid(streamed));
    if (utf8_valid(bytes)) {
      EXPECT_EQ(streamed, bytes);
    }
  }
}

TEST(Utf8, AnIncompleteCharacterIsHeldBack) {
  Utf8Stream stream;
  std::string out;
  stream.feed("a\xF0\x9F", out);
  EXPECT_EQ(out, "a");
  EXPECT_TRUE(stream.has_pending());
  stream.feed("\x98\x80", out);
  EXPECT_EQ(out, "a😀");
  EXPECT_FALSE(stream.has_pending());
}

}  // namespace
}  // namespace gossamer
