#include "cli/model_options.h"

#include <gmock/gmock.h>

namespace gossamer::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ModelOptions with(std::optional<float> share, const std::string& bytes) {
  ModelOptions options;
  options.gpu_memory_share = share;
  options.gpu_memory = bytes;
  return options;
}

TEST(GpuMemory, IsAShareOrASize) {
  EXPECT_EQ(ModelOptions().load_options()->device_budget.share, 0.9);
  EXPECT_EQ(ModelOptions().load_options()->device_budget.bytes, 0u);
  EXPECT_EQ(with(0.5f, "").load_options()->device_budget.share, 0.5);
  EXPECT_EQ(with(1.f, "").load_options()->device_budget.share, 1.0);
  EXPECT_EQ(with({}, "10GB").load_options()->device_budget.bytes, 10'000'000'000u);
  EXPECT_EQ(with({}, "2GiB").load_options()->device_budget.bytes, 2u << 30);
}

TEST(GpuMemory, IsOneOfBothAndMakesSense) {
  for (const float share : {0.f, -1.f, 1.5f, 90.f})
    EXPECT_THAT(with(share, "").load_options().error().message,
                AllOf(HasSubstr("--gpu-memory-utilization is"), HasSubstr("above 0 and at most 1")));
  EXPECT_THAT(with({}, "lots").load_options().error().message, HasSubstr("\"lots\" is not a size"));
  EXPECT_THAT(with(0.5f, "10GB").load_options().error().message,
              AllOf(HasSubstr("--gpu-memory-utilization 0.5"), HasSubstr("--gpu-memory 10GB"), HasSubstr("leave one")));
}

}  // namespace
}  // namespace gossamer::cli
