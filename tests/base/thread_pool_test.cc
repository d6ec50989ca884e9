#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>

namespace gossamer {
namespace {

TEST(ThreadPool, EveryChunkRunsOnceWhateverTheSizes) {
  for (unsigned threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.num_threads(), threads);
    for (int round = 0; round < 2000; ++round) {
      const uint32_t chunks = round % 37;
      std::vector<std::atomic<int>> times(chunks);
      pool.parallel_for(chunks, [&](uint32_t chunk, unsigned thread) {
        ASSERT_LT(chunk, chunks);
        ASSERT_LT(thread, threads);
        ++times[chunk];
      });
      for (const auto& count : times) ASSERT_EQ(count.load(), 1) << "round " << round;
    }
  }
}

TEST(ThreadPool, ResultsAreVisibleToTheCaller) {
  ThreadPool pool(4);
  std::vector<int> values(1000, 0);  // plain memory: a missing fence shows under the thread sanitizer
  for (int round = 1; round <= 50; ++round) {
    pool.parallel_for(1000, [&](uint32_t chunk, unsigned) { values[chunk] += round; });
    for (int value : values) ASSERT_EQ(value, round * (round + 1) / 2);
  }
}

TEST(ThreadPool, WorksAfterItsThreadsHaveGoneToSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than the spin
    std::atomic<int> sum{0};
    pool.parallel_for(10, [&](uint32_t chunk, unsigned) { sum += static_cast<int>(chunk); });
    EXPECT_EQ(sum.load(), 45);
  }
}

}  // namespace
}  // namespace gossamer
