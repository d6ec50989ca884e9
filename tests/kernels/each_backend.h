#pragma once
/// One test text for every backend: TEST_P over the names this machine can run. A name alone computes at
/// Precision::kF32, with "_rounded" behind it at Precision::kDefault.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace gossamer::testing {

class EachBackend : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr std::string_view kRounded = "_rounded";
  ThreadPool threads_{2};
  std::unique_ptr<kernels::Backend> backend_ = make();

  static bool rounded() { return GetParam().ends_with(kRounded); }
  std::unique_ptr<kernels::Backend> make() {
    const std::string name = GetParam().substr(0, GetParam().size() - (rounded() ? kRounded.size() : 0));
    auto made =
        kernels::make_backend(name, threads_, rounded() ? kernels::Precision::kDefault : kernels::Precision::kF32);
    return made.ok() ? std::move(made).value() : nullptr;
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

/// Every backend there is code for; those that the machine lacks skip with a word.
inline auto all_backends() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"));
}
/// The same, and those that round activations.
inline auto all_backends_and_precisions() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"),
                           std::string("avx512_rounded"), std::string("avx2_rounded"));
}
inline std::string backend_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace gossamer::testing
