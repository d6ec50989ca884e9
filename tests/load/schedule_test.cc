#include "load/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace gossamer::load {
namespace {

std::vector<double> arrivals(const Pace& pace) {
  Schedule schedule(pace);
  std::vector<double> times;
  while (!std::isinf(schedule.next())) times.push_back(*schedule.take(schedule.next()));
  return times;
}

TEST(ClosedLoop, GivesEachRequestAtOnce) {
  Schedule schedule({.requests = 2});
  EXPECT_EQ(schedule.take(0.5), 0.5);
  EXPECT_EQ(schedule.take(0.7), 0.7);
  EXPECT_EQ(schedule.take(0.8), std::nullopt);
  EXPECT_TRUE(std::isinf(schedule.next()));
}

TEST(ClosedLoop, EndsWithItsTime) {
  Schedule schedule({.duration_seconds = 2});
  EXPECT_TRUE(schedule.take(1.9));
  EXPECT_FALSE(schedule.take(2.0));
}

TEST(OpenLoop, NothingComesBeforeItsTime) {
  Schedule schedule({.requests = 3, .rate = 10});
  const double first = schedule.next();
  EXPECT_GT(first, 0);
  EXPECT_FALSE(schedule.take(first - 1e-9));
  EXPECT_EQ(schedule.take(first + 5), first) << "it was due then, however late it is";
  EXPECT_GT(schedule.next(), first);
}

TEST(OpenLoop, ArrivesAsOftenAsAsked) {
  const std::vector<double> times = arrivals({.requests = 20000, .rate = 50});
  ASSERT_EQ(times.size(), 20000u);
  EXPECT_NEAR(times.back(), 400, 12) << "20,000 gaps of 20 ms; four standard deviations are 11 s";
}

TEST(OpenLoop, GapsAreExponential) {
  const std::vector<double> times = arrivals({.requests = 20000, .rate = 50});
  double before = 0, sum = 0, squares = 0;
  size_t short_gaps = 0;
  for (const double time : times) {
    const double gap = time - before;
    EXPECT_GT(gap, 0);
    sum += gap;
    squares += gap * gap;
    short_gaps += gap < 0.02;
    before = time;
  }
  const double mean = sum / 20000, deviation = std::sqrt(squares / 20000 - mean * mean);
  EXPECT_NEAR(deviation / mean, 1, 0.05);
  EXPECT_NEAR(static_cast<double>(short_gaps) / 20000, 1 - std::exp(-1), 0.015);
}

TEST(OpenLoop, FollowsFromItsSeed) {
  EXPECT_EQ(arrivals({.requests = 50, .rate = 2, .seed = 7}), arrivals({.requests = 50, .rate = 2, .seed = 7}));
  EXPECT_NE(arrivals({.requests = 50, .rate = 2, .seed = 7}), arrivals({.requests = 50, .rate = 2, .seed = 8}));
}

TEST(OpenLoop, EndsWithItsTime) {
  const std::vector<double> times = arrivals({.duration_seconds = 10, .rate = 100});
  EXPECT_LT(times.back(), 10);
  EXPECT_NEAR(static_cast<double>(times.size()), 1000, 130);
}

}  // namespace
}  // namespace gossamer::load
