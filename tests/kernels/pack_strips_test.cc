/// What no strip can hold. What it holds is tried by the products of device_checks_test.

#include "kernels/cuda/pack_strips.h"

#include <gtest/gtest.h>

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

TEST(PackStrips, ScalesThatHalfPrecisionCannotFollowAreRefused) {
  std::vector<std::byte> codes(16), scales(1, std::byte{241});
  const WeightRows w{Dtype::kMxfp4, Mxfp4Layout::kSplit, 1, 32, codes.data(), 16, scales.data(), 1};
  const BiasedRows matrix{&w, nullptr};
  const auto rows = rows_below_each_other({&matrix, 1});
  std::vector<std::byte> packed(strip_shape(rows)->bytes());
  const Status status = pack_strips(*strip_shape(rows), rows, packed.data());
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("2^114"), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace gossamer::testing
