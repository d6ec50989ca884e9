#include "cli/load_progress.h"

#include <gtest/gtest.h>

namespace gossamer::cli {
namespace {

TEST(LoadProgress, ABarWithFigures) {
  const std::string text = load_progress_text(
      "", {.seconds = 10, .begun = 56, .ended = 50, .failed = 2, .events = 1000, .requests = 100}, 200);
  EXPECT_EQ(text, "[############............] 50/100  5.0 req/s  100 tok/s  6 running  2 failed  10 s left");
}

TEST(LoadProgress, ByTimeWhereThatEndsFirst) {
  const std::string text =
      load_progress_text("A 1/4", {.seconds = 9, .begun = 3, .ended = 1, .requests = 100, .duration_seconds = 12}, 200);
  EXPECT_EQ(text, "A 1/4 [##################......] 1/100  0.1 req/s  0 tok/s  2 running  3 s left");
}

TEST(LoadProgress, NeverWiderThanTheTerminal) {
  EXPECT_EQ(load_progress_text("A", {.begun = 3, .requests = 100}, 20).size(), 20u);
  EXPECT_EQ(load_progress_text("", {}, 0), "");
}

}  // namespace
}  // namespace gossamer::cli
