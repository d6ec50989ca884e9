/// The checks that `gossamer gpu selftest` runs, on the device there is: with small shapes on the emulated one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "kernels/cuda/runtime.h"
#include "kernels/cuda/selftest/checks.h"

namespace gossamer::testing {
namespace {

using namespace kernels::cuda;

class DeviceChecks : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto devices = list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
  }
};

TEST_P(DeviceChecks, Pass) {
  CheckOptions options;
  options.quick = true;
  options.only = GetParam();
  bool found = false;
  run_checks(options, [&](const CheckOutcome& outcome) {
    if (outcome.name != GetParam()) return;  // the name may be a part of others
    found = true;
    EXPECT_TRUE(outcome.passed) << outcome.detail;
    EXPECT_FALSE(outcome.detail.empty());
    RecordProperty("detail", outcome.detail);
  });
  EXPECT_TRUE(found);
}

std::string words_joined(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, DeviceChecks, ::testing::ValuesIn(check_names()), words_joined);

TEST(DeviceCheckNames, AreDifferent) {
  const auto names = check_names();
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  EXPECT_TRUE(run_checks({1, true, "no such check"}, {}).empty());
}

}  // namespace
}  // namespace gossamer::testing
