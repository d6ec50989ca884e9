#pragma once
/// One test text for every backend: TEST_P over the names this machine can run. A name alone computes at
/// Precision::kF32, with "_exact" or "_default" behind it at that precision.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "support/emulated_amx.h"

namespace gossamer::testing {

/// Whether the kernels of AMX can be run here on tiles in plain loops.
inline bool can_emulate_amx() {
  const auto names = kernels::available_backends();
  return std::find(names.begin(), names.end(), "avx512bf16") != names.end();
}

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
    const std::string name = GetParam().substr(0, GetParam().find('_'));
    auto made = kernels::make_backend(name, threads_, precision());
    if (made.ok()) return std::move(made).value();
    // Without AMX its kernels are run all the same, on tiles in plain loops.
    if (name != "amx" || !can_emulate_amx()) return nullptr;
    return std::make_unique<kernels::CpuBackend>(*emulated_amx_kernels(), threads_, precision());
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
