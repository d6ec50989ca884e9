#include "server/stop_texts.h"

#include <gtest/gtest.h>

#include <random>

namespace gossamer::server {
namespace {

/// What is left of `text` before the first stop, however it was cut.
std::string cut(const std::vector<std::string>& stops, const std::vector<std::string>& pieces, std::string* matched) {
  StopTexts finder(stops);
  std::string out;
  for (const std::string& piece : pieces)
    if (finder.feed(piece, out)) break;
  finder.flush(out);
  if (matched) *matched = finder.matched();
  return out;
}

TEST(StopTexts, CutsBeforeTheStop) {
  std::string matched;
  EXPECT_EQ(cut({"END"}, {"The E", "ND of it"}, &matched), "The ");
  EXPECT_EQ(matched, "END");
}

TEST(StopTexts, ShowsTheStopWhereThatIsWanted) {
  for (const std::vector<std::string>& pieces : {std::vector<std::string>{"The E", "ND of it"}, {"The END of it"}}) {
    StopTexts finder({"END"}, /*shows_stop=*/true);
    std::string out;
    for (const std::string& piece : pieces) (void)finder.feed(piece, out);
    finder.flush(out);
    EXPECT_EQ(out, "The END");
  }
  StopTexts finder({"abcd", "b"}, true);  // the one that began earlier never comes
  std::string out;
  EXPECT_FALSE(finder.feed("xabc", out));
  finder.flush(out);
  EXPECT_EQ(out, "xab");
}

TEST(StopTexts, WhatOnlyBeganLikeOneComesOut) {
  EXPECT_EQ(cut({"END"}, {"The EN"}, nullptr), "The EN");
  EXPECT_EQ(cut({"aab"}, {"a", "a", "a", "a", "b!"}, nullptr), "aa");
}

TEST(StopTexts, HoldsNothingBackThatIsCertain) {
  StopTexts finder({"xyz"});
  std::string out;
  EXPECT_FALSE(finder.feed("abc", out));
  EXPECT_EQ(out, "abc");
  EXPECT_FALSE(finder.feed("xy", out));
  EXPECT_EQ(out, "abc");
  EXPECT_FALSE(finder.feed("q", out));
  EXPECT_EQ(out, "abcxyq");
}

TEST(StopTexts, TheSameAtAllCuts) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    const auto text_of = [&](size_t longest) {
      std::string text(1 + random() % longest, 'a');
      for (char& c : text) c = static_cast<char>('a' + random() % 2);
      return text;
    };
    std::vector<std::string> stops;
    for (size_t i = 0; i < 1 + random() % 3; ++i) stops.push_back(text_of(4));
    const std::string text = text_of(24);
    std::vector<std::string> pieces;
    for (size_t begin = 0; begin < text.size();) {
      const size_t size = 1 + random() % 5;
      pieces.push_back(text.substr(begin, size));
      begin += size;
    }
    std::string matched_whole, matched_pieces;
    const std::string whole = cut(stops, {text}, &matched_whole);
    ASSERT_EQ(whole, cut(stops, pieces, &matched_pieces)) << text;
    ASSERT_EQ(matched_whole, matched_pieces) << text;
    size_t first = std::string::npos;
    for (const std::string& stop : stops) first = std::min(first, text.find(stop));
    ASSERT_EQ(whole, text.substr(0, first)) << text;
  }
}

}  // namespace
}  // namespace gossamer::server
