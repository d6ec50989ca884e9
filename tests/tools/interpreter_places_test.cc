#include "tools/interpreter_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace gossamer::tools {
namespace {

using ::testing::HasSubstr;

Clock::time_point in_milliseconds(int milliseconds) {
  return Clock::now() + std::chrono::milliseconds(milliseconds);
}

TEST(InterpreterPlaces, AreNeverMoreThanThereAre) {
  constexpr uint32_t kPlaces = 3;
  constexpr int kThreads = 12, kTimes = 50;
  const auto places = std::make_shared<InterpreterPlaces>(kPlaces, kThreads);
  std::atomic<int> alive = 0, most = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < kTimes; ++k) {
        const Result<InterpreterPlaces::Place> place = places->take(in_milliseconds(60000), Cancellation());
        failed += !place.ok();
        const int now = ++alive;
        for (int before = most; before < now && !most.compare_exchange_weak(before, now);) continue;
        std::this_thread::yield();
        --alive;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_LE(most, static_cast<int>(kPlaces));
}

TEST(InterpreterPlaces, WhoWaitsGetsOneThatComesFree) {
  const auto places = std::make_shared<InterpreterPlaces>(1, 1);
  std::optional<InterpreterPlaces::Place> first(*places->take(in_milliseconds(0), Cancellation()));
  std::thread leaver([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first.reset();
  });
  EXPECT_TRUE(places->take(in_milliseconds(20000), Cancellation()).ok());
  leaver.join();
}

TEST(InterpreterPlaces, OthersAreToldWhy) {
  const auto places = std::make_shared<InterpreterPlaces>(1, 1), none_waits = std::make_shared<InterpreterPlaces>(1, 0);
  const Result<InterpreterPlaces::Place> first = places->take(in_milliseconds(0), Cancellation());
  const Result<InterpreterPlaces::Place> other = none_waits->take(in_milliseconds(0), Cancellation());
  ASSERT_TRUE(first.ok() && other.ok());
  EXPECT_THAT(places->take(in_milliseconds(60), Cancellation()).error().message, HasSubstr("none ended in time"));
  EXPECT_THAT(none_waits->take(in_milliseconds(60000), Cancellation()).error().message,
              HasSubstr("0 calls wait already"));
  Cancellation cancelled;
  cancelled.request();
  EXPECT_EQ(places->take(in_milliseconds(60000), cancelled).error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace gossamer::tools
