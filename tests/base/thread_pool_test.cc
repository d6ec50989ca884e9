#include "base/thread_pool.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <chrono>

namespace gossamer {
namespace {

using ::testing::AllOf, ::testing::HasSubstr;

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

TEST(ThreadPool, IsWholeWhereTheSystemGivesAllThreads) {
  const auto pool = ThreadPool::create(3);
  ASSERT_TRUE(pool.ok()) << pool.error().message;
  EXPECT_EQ((*pool)->num_threads(), 3u);
}

TEST(ThreadPool, OfTooManyThreadsIsRefused) {
  const auto pool = ThreadPool::create(100000);
  ASSERT_FALSE(pool.ok());
  EXPECT_THAT(pool.error().message, AllOf(HasSubstr("100000 threads"), HasSubstr("the 4096"), HasSubstr("--threads")));
}

/// While it lives the system gives no thread: there is no memory for such a stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t impossible;
    pthread_attr_init(&impossible);
    pthread_attr_setstacksize(&impossible, size_t{1} << 56);
    pthread_setattr_default_np(&impossible);
    pthread_attr_destroy(&impossible);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(ThreadPool, WithoutThreadsSaysSoOrGoesOnAlone) {
  const NoThreads here;
  const auto pool = ThreadPool::create(8);
  ASSERT_FALSE(pool.ok());
  EXPECT_THAT(pool.error().message, HasSubstr("of 8 threads the system let 1 start"));
  ThreadPool alone(8);
  EXPECT_EQ(alone.num_threads(), 1u);
  uint32_t sum = 0;
  alone.parallel_for(5, [&](uint32_t chunk, unsigned) { sum += chunk; });
  EXPECT_EQ(sum, 10u);
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
