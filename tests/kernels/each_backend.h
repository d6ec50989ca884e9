#pragma once
/// One test text for every backend: TEST_P over the names this machine can run. A name alone computes at
/// Precision::kF32, with "_exact" or "_default" behind it at that precision.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kernels/machine_backends.h"

namespace gossamer::testing {

class EachBackend : public ::testing::TestWithParam<std::string> {
 protected:
  ThreadPool threads_{2};
  std::unique_ptr<kernels::Backend> backend_ = make();

  static kernels::Precision precision() {
    if (GetParam().ends_with("_exact")) return kernels::Precision::kExact;
    return GetParam().ends_with("_default") ? kernels::Precision::kDefault : kernels::Precision::kF32;
  }
  static bool rounded() { return precision() != kernels::Precision::kF32; }
  std::unique_ptr<kernels::Backend> make() {
    return backend_of_this_machine(GetParam().substr(0, GetParam().find('_')), threads_, precision());
  }

  void SetUp() override {
    if (!backend_) GTEST_SKIP() << "this machine has no " << GetParam();
  }
  /// The backend's own kernel ran, `times` times, and nothing fell back.
  void expect_native(kernels::Op op) {
    EXPECT_GT(backend_->counts(op).native, 0u) << kernels::op_name(op);
    EXPECT_EQ(backend_->counts(op).fallback, 0u) << kernels::op_name(op);
  }
  /// Products with these weights were computed as GetParam() says.
  void expect_rounded(kernels::Op op, bool weights_of_8_bits) {
    const auto& counts = backend_->counts(op);
    EXPECT_EQ(counts.rounded, rounded() && weights_of_8_bits ? counts.native : 0u) << kernels::op_name(op);
  }
};

/// Every backend there is code for, but for avx512bf16, which is avx512 where nothing is rounded; those that the
/// machine lacks skip with a word.
inline auto all_backends() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"));
}
/// The same, and those that round activations: all by which a token has the same bits in any company.
inline auto all_invariant_backends() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"), std::string("avx2_exact"),
                           std::string("avx512_exact"), std::string("avx512bf16_exact"));
}
inline auto all_backends_and_precisions() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"), std::string("avx2_exact"),
                           std::string("avx512_exact"), std::string("avx2_default"), std::string("avx512_default"),
                           std::string("amx_default"));
}
inline std::string backend_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace gossamer::testing
