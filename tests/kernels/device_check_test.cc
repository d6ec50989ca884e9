/// What a check says of what was compared: it fails where it should.

#include <gmock/gmock.h>

#include "kernels/cuda/selftest/check.h"
#include "kernels/device_test.h"

namespace gossamer::testing {
namespace {

using namespace kernels::cuda;
using ::testing::HasSubstr;

class DeviceCheck : public DeviceTest {
 protected:
  CheckOutcome outcome_of(const std::function<void(Check&)>& run, bool quick = true) {
    Check check({1, quick, ""}, stream_, threads_);
    run(check);
    return check.outcome();
  }

 private:
  ThreadPool threads_{1};
};

TEST_F(DeviceCheck, TellsTheLargestDifference) {
  const auto outcome = outcome_of([](Check& check) {
    check.near(1.5, 1, 1, [] { return "half"; });
    check.near(1.9, 1, 1, [] { return "most"; });
    check.near(3, 3, 0, [] { return "exact"; });
  });
  EXPECT_TRUE(outcome.passed);
  EXPECT_THAT(outcome.detail, HasSubstr("3 numbers; the farthest is off by 0.9 where 1 is allowed, most"));
}

TEST_F(DeviceCheck, TellsTheFirstWrongNumber) {
  const auto outcome = outcome_of([](Check& check) {
    for (int i = 0; i < 1500; ++i) check.near(i, i, 0, [] { return "right"; });
    check.near(NAN, 1, 1, [] { return "the one that is no number"; });
    check.near(9, 1, 1, [] { return "another"; });
  });
  EXPECT_FALSE(outcome.passed);
  EXPECT_THAT(outcome.detail, HasSubstr("2 of 1,502 numbers are wrong, the first at the one that is no number: nan"));
}

TEST_F(DeviceCheck, BitsAreCompared) {
  const std::vector<float> zeros(4, 0.f), others = {0.f, 0.f, -0.f, 0.f};
  const auto outcome = outcome_of([&](Check& check) {
    check.same_bits(std::span(others), std::span(zeros), [](size_t i) { return fmt::format("number {}", i); });
  });
  EXPECT_FALSE(outcome.passed);
  EXPECT_THAT(outcome.detail, HasSubstr("not the same bits: number 2"));
}

TEST_F(DeviceCheck, NothingComparedIsAFailure) {
  EXPECT_FALSE(outcome_of([](Check&) {}).passed);
}

TEST_F(DeviceCheck, MemoryIsFullOfNaNAndHasAGuard) {
  const auto outcome = outcome_of(
      [&](Check& check) {
        float* memory = check.make<float>(7);
        for (const float value : check.download(memory, 7))
          check.expect(std::isnan(value), [] { return "memory has a number in it"; });
        stream_.fill(memory, 0, 7 * sizeof(float) + 3);
      },
      false);
  EXPECT_FALSE(outcome.passed);
  EXPECT_THAT(outcome.detail, HasSubstr("behind the end of 28 bytes"));
}

}  // namespace
}  // namespace gossamer::testing
