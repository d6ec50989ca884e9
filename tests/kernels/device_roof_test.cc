/// The kernels that measure what a card can do: that they read, copy and compute what they are measured for. What they
/// measure on the emulated device means nothing.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cuda/roof.h"
#include "kernels/device_test.h"
#ifdef GOSSAMER_DEVICE_IS_EMULATED
#include "support/emulated_runtime.h"
#endif

namespace gossamer::testing {
namespace {

using namespace kernels::cuda;

class DeviceRoofs : public DeviceTest {
 protected:
  static RoofOptions small() {
    RoofOptions options;
    options.device = device_in_use().value();
    options.buffer_bytes = (1 << 20) + 4096;  // no multiple of what grids read at a time
    options.num_runs = 2;
    options.mma_rounds = 3;
    options.num_launches = 4;
    return options;
  }
};

TEST_F(DeviceRoofs, AreOfWorkThatWasDone) {
  const RoofOptions options = small();
  size_t told = 0;
  const auto roofs = measure_roofs(options, [&](const Roof&) { ++told; });
  ASSERT_TRUE(roofs.ok()) << roofs.error().message;
  EXPECT_EQ(roofs->failures, std::vector<std::string>());
  EXPECT_EQ(told, roofs->figures.size());
  std::vector<std::string> names;
  for (const Roof& roof : roofs->figures) {
    SCOPED_TRACE(roof.name);
    names.push_back(roof.name);
    EXPECT_GT(roof.value, 0);
    EXPECT_GE(roof.spread, 0);
    const double seconds = roof.us * 1e-6, unit = roof.unit == "GB/s" ? 1e9 : 1e12;
    EXPECT_NEAR(roof.value, roof.unit == "us" ? roof.us / roof.work : roof.work / seconds / unit, 1e-9 * roof.value);
    if (roof.unit == "GB/s") {
      EXPECT_GT(roof.work, 0.4 * static_cast<double>(options.buffer_bytes));
    }
  }
  for (const char* name :
       {"read, loads of 16 bytes", "read, asynchronous copies of 16 bytes", "read, bulk copies of 24 KiB",
        "copy, loads of 16 bytes", "mma.sync, f16 with float32 sums", "mma.sync, bf16 with float32 sums",
        "launch, in a stream", "exchange with the host, in a graph"})
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
}

#ifdef GOSSAMER_DEVICE_IS_EMULATED
TEST_F(DeviceRoofs, OneThatFailsLeavesTheOthers) {
  const size_t num_all = measure_roofs(small(), {})->figures.size();
  emulated::fail_start(3);
  const auto roofs = measure_roofs(small(), {});
  ASSERT_TRUE(roofs.ok()) << roofs.error().message;
  ASSERT_EQ(roofs->failures.size(), 1u);
  EXPECT_NE(roofs->failures[0].find("cannot start a kernel"), std::string::npos);
  EXPECT_EQ(roofs->figures.size(), num_all - 1);
}
#endif

TEST_F(DeviceRoofs, TimesAreMedians) {
  uint32_t runs = 0;
  const auto times = time_runs(stream_, 5, [&] { ++runs; });
  ASSERT_TRUE(times.ok()) << times.error().message;
  EXPECT_EQ(runs, 6u);  // the first does not count
  EXPECT_GE(times->median_us, 0);
}

}  // namespace
}  // namespace gossamer::testing
