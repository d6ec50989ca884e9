#pragma once
/// One test text for every backend: TEST_P over the names this machine can run.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace gossamer::testing {

class EachBackend : public ::testing::TestWithParam<std::string> {
 protected:
  ThreadPool threads_{2};
  std::unique_ptr<kernels::Backend> backend_ = [this] {
    auto made = kernels::make_backend(GetParam(), threads_);
    return made.ok() ? std::move(made).value() : nullptr;
  }();

  void SetUp() override {
    if (!backend_) GTEST_SKIP() << "this machine has no " << GetParam();
  }
  /// The backend's own kernel ran, `times` times, and nothing fell back.
  void expect_native(kernels::Op op) {
    EXPECT_GT(backend_->counts(op).native, 0u) << kernels::op_name(op);
    EXPECT_EQ(backend_->counts(op).fallback, 0u) << kernels::op_name(op);
  }
};

/// Every backend there is code for; those that the machine lacks skip with a word.
inline auto all_backends() {
  return ::testing::Values(std::string("ref"), std::string("avx2"), std::string("avx512"));
}
inline std::string backend_test_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace gossamer::testing
