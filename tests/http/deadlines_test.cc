#include "http/deadlines.h"

#include <gtest/gtest.h>

#include <vector>

namespace gossamer::http {
namespace {

struct Alarm : Timed {
  Alarm(std::vector<int>& log, int number) : log_(log), number_(number) {}
  void on_deadline() override { log_.push_back(number_); }
  std::vector<int>& log_;
  int number_;
};

TEST(Deadlines, AreMetInOrderWhateverTheyWereBefore) {
  const auto at = [](int second) { return TimePoint() + std::chrono::seconds(second); };
  std::vector<int> log;
  Alarm one(log, 1), two(log, 2), three(log, 3), four(log, 4);
  Deadlines deadlines;
  deadlines.set(one, at(10));
  deadlines.set(two, at(20));
  deadlines.set(three, at(5));
  deadlines.set(four, at(5));
  deadlines.set(one, at(30));    // later
  deadlines.set(two, at(3));     // earlier
  deadlines.set(three, kNever);  // not at all
  deadlines.remove(four);
  EXPECT_EQ(deadlines.earliest(), at(3));
  deadlines.run(at(2));
  EXPECT_TRUE(log.empty());
  deadlines.run(at(12));
  EXPECT_EQ(log, (std::vector<int>{2}));
  EXPECT_EQ(deadlines.earliest(), at(30));
  deadlines.run(at(30));
  deadlines.run(at(100));
  EXPECT_EQ(log, (std::vector<int>{2, 1}));
  EXPECT_EQ(deadlines.earliest(), kNever);
  deadlines.set(one, at(101));
  deadlines.run(at(101));
  EXPECT_EQ(log, (std::vector<int>{2, 1, 1}));
}

}  // namespace
}  // namespace gossamer::http
