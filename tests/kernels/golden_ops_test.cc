/// Single operations against values computed by the reference implementations (transformers, float32).

#include <cmath>

#include "each_backend.h"
#include "kernels/paged_kv.h"
#include "kernels/read_row.h"
#include "kernels/ref/ref_backend.h"
#include "support/golden_file.h"

namespace gossamer::testing {
namespace {

using namespace kernels;

class GoldenOps : public EachBackend {
 protected:
  void SetUp() override {
    EachBackend::SetUp();
    if (IsSkipped()) return;
    if (oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
    auto opened = GoldenFile::open(oracle_folder() + "/goldens/ops.safetensors");
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    golden_ = std::move(opened).value();
  }

  /// Every element within `relative` of the expectation, measured against the largest element of its row (sums cancel).
  static void expect_close(std::span<const float> got, std::span<const float> want, size_t row, double relative) {
    ASSERT_EQ(got.size(), want.size());
    double worst = 0;
    for (size_t begin = 0; begin < want.size(); begin += row) {
      double scale = 1e-30;
      for (size_t i = begin; i < begin + row; ++i) scale = std::max(scale, std::fabs(static_cast<double>(want[i])));
      for (size_t i = begin; i < begin + row; ++i)
        worst = std::max(worst, std::fabs(static_cast<double>(got[i]) - want[i]) / scale);
    }
    EXPECT_LE(worst, relative);
    RecordProperty("worst_relative", std::to_string(worst));
  }

  GoldenFile golden_;
};

TEST_P(GoldenOps, Mxfp4DecodesExactlyInBothLayouts) {
  const auto blocks = golden_.u8("mxfp4/blocks"), scales = golden_.u8("mxfp4/scales"), ggml = golden_.u8("mxfp4/ggml");
  const auto values = golden_.f32("mxfp4/values");
  // Each block is a row of 32 columns; the backend reads it through its own unpacking as an embedding row or as a
  // product with unit vectors. The unit vectors make every element visible.
  const auto num_blocks = static_cast<uint32_t>(scales.size());
  WeightRows split{Dtype::kMxfp4,
                   Mxfp4Layout::kSplit,
                   num_blocks,
                   32,
                   reinterpret_cast<const std::byte*>(blocks.data()),
                   16,
                   reinterpret_cast<const std::byte*>(scales.data()),
                   1};
  WeightRows packed{Dtype::kMxfp4,
                    Mxfp4Layout::kGgml,
                    num_blocks,
                    32,
                    reinterpret_cast<const std::byte*>(ggml.data()),
                    17,
                    nullptr,
                    0};
  std::vector<float> units(32 * 32, 0.f);
  for (int i = 0; i < 32; ++i) units[i * 33] = 1.f;
  for (const WeightRows& w : {split, packed}) {
    std::vector<float> out(32 * static_cast<size_t>(num_blocks), -1.f), row(32);
    backend_->matmul({w, nullptr, units.data(), 32, out.data(), num_blocks, false});
    for (uint32_t b = 0; b < num_blocks; ++b) {
      read_row(w, b, row.data());
      bool finite =
          true;  // scale bytes 253 and 254 overflow float32: infinity times a zero of the unit vector is no number
      for (uint32_t i = 0; i < 32; ++i) finite &= std::isfinite(values[b * 32 + i]);
      for (uint32_t i = 0; i < 32; ++i) {
        ASSERT_EQ(row[i], values[b * 32 + i]) << "block " << b << " element " << i;
        if (!finite) continue;
        ASSERT_EQ(out[static_cast<size_t>(i) * num_blocks + b], values[b * 32 + i])
            << "block " << b << " element " << i;
      }
    }
  }
  expect_native(Op::kMatmul);
}

TEST_P(GoldenOps, Mxfp4RowProductOfTheRealWidth) {
  const auto x = golden_.f32("linear/x");
  const auto y = golden_.f64("linear/y");
  const auto rows = static_cast<uint32_t>(golden_.shape("linear/blocks")[0]);
  WeightRows w{Dtype::kMxfp4,
               Mxfp4Layout::kSplit,
               rows,
               2880,
               reinterpret_cast<const std::byte*>(golden_.u8("linear/blocks").data()),
               90 * 16,
               reinterpret_cast<const std::byte*>(golden_.u8("linear/scales").data()),
               90};
  for (uint32_t tokens : {1u, 3u}) {
    std::vector<float> out(tokens * rows);
    backend_->matmul({w, nullptr, x.data(), tokens, out.data(), rows, false});
    for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], y[i], 1e-6 * 3) << i;  // |y| is about 1, up to 3
  }
  expect_native(Op::kMatmul);
}

TEST_P(GoldenOps, Rope) {
  const auto x = golden_.f32("rope/x");
  std::vector<uint32_t> row(
      golden_.shape("rope/positions")[0]);  // of the expected tables, whose own test is in rope_table_test.cc
  for (uint32_t i = 0; i < row.size(); ++i) row[i] = i;
  std::vector<float> rotated(x.begin(), x.end());
  backend_->rope({rotated.data(), 3 * 64, static_cast<uint32_t>(row.size()), 3, 64, row.data(),
                  golden_.f32("rope/cos").data(), golden_.f32("rope/sin").data()});
  expect_close(rotated, golden_.f32("rope/y"), 64, 1e-6);
  expect_native(Op::kRope);
}

TEST_P(GoldenOps, RmsNorm) {
  const auto x = golden_.f32("rmsnorm/x"), w = golden_.f32("rmsnorm/w");
  std::vector<float> out(x.size());
  backend_->rmsnorm({x.data(), w.data(), 1e-5f, static_cast<uint32_t>(x.size() / 96), 96, out.data()});
  expect_close(out, golden_.f32("rmsnorm/y"), 96, 1e-6);
  expect_native(Op::kRmsNorm);
}

TEST_P(GoldenOps, Router) {
  const auto x = golden_.f32("router/x"), w = golden_.f32("router/w"), b = golden_.f32("router/b");
  const auto indices = golden_.i32("router/indices");
  WeightRows weights{Dtype::kF32, {}, 32, 96, reinterpret_cast<const std::byte*>(w.data()), 96 * 4, nullptr, 0};
  std::vector<float> logits(64 * 32), chosen_weights(64 * 4);
  std::vector<uint32_t> chosen(64 * 4);
  backend_->matmul({weights, b.data(), x.data(), 64, logits.data(), 32, false});
  backend_->router({logits.data(), 64, 32, 4, chosen.data(), chosen_weights.data()});
  for (size_t i = 0; i < chosen.size(); ++i) EXPECT_EQ(chosen[i], static_cast<uint32_t>(indices[i])) << i;
  // The expectation is itself float32: logits up to 4 in size from sums of 96 products carry some 1e-6, and weights the
  // same.
  expect_close(chosen_weights, golden_.f32("router/weights"), 4, 3e-6);
  expect_native(Op::kRouter);
}

TEST_P(GoldenOps, AttentionWithSinks) {
  const auto q = golden_.f32("attn/q"), k = golden_.f32("attn/k"), v = golden_.f32("attn/v"),
             sinks = golden_.f32("attn/sinks");
  PagedKv kv({KvDtype::kF32, 2, 64}, 40);
  kv.write(k, v);
  const std::vector<CacheRow> rows{kv.row(0, 40)};
  std::vector<float> out(q.size());
  for (uint32_t window : {0u, 16u}) {
    backend_->attention({q.data(), 8 * 64, rows, kv.layout(), sinks.data(), 8, window, 0.125f, out.data()});
    // Scores reach 30; the expectation's float32 has them to some 2^-24 * 30 * 2, which is the relative error of their
    // exponentials.
    expect_close(out, golden_.f32(window ? "attn/w16" : "attn/full"), 64, 5e-6);
  }
  expect_native(Op::kAttention);
}

/// SwiGLU stands inside experts(): one expert whose matrices are identities in MXFP4 lets it through alone.
TEST_P(GoldenOps, SwigluThroughExperts) {
  const auto x = golden_.f32("swiglu/x");
  const auto y = golden_.f32("swiglu/y");
  constexpr uint32_t kWidth = 32;
  const auto tokens = static_cast<uint32_t>(y.size() / kWidth);
  std::vector<float> identity(kWidth * 2 * kWidth, 0.f), down(2 * kWidth * kWidth, 0.f);
  // x is [T, 64] interleaved gate, up: gate row i picks column 2i, up row i column 2i + 1; down puts F = 32 values into
  // D = 64.
  std::vector<float> gate(kWidth * 64, 0.f), up(kWidth * 64, 0.f), zero_bias(64, 0.f);
  for (uint32_t i = 0; i < kWidth; ++i) {
    gate[i * 64 + 2 * i] = 1.f;
    up[i * 64 + 2 * i + 1] = 1.f;
    down[i * kWidth + i] = 1.f;
  }
  const auto rows = [](const std::vector<float>& w, uint32_t n, uint32_t k) {
    return ExpertRows{
        WeightRows{Dtype::kF32, {}, n, k, reinterpret_cast<const std::byte*>(w.data()), k * 4, nullptr, 0}, 1,
        n * k * 4, 0};
  };
  std::vector<uint32_t> indices(tokens, 0);
  std::vector<float> weights(tokens, 1.f), out(tokens * 64, 0.f), got;
  ExpertsArgs args{x.data(),
                   tokens,
                   rows(gate, kWidth, 64),
                   rows(up, kWidth, 64),
                   rows(down, 64, kWidth),
                   zero_bias.data(),
                   zero_bias.data(),
                   zero_bias.data(),
                   1,
                   indices.data(),
                   weights.data(),
                   7.f,
                   out.data()};
  backend_->experts(args);
  for (uint32_t t = 0; t < tokens; ++t) got.insert(got.end(), out.begin() + t * 64, out.begin() + t * 64 + kWidth);
  expect_close(got, y, kWidth, 1e-6);
  expect_native(Op::kExperts);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOps, all_backends(), backend_test_name);

}  // namespace
}  // namespace gossamer::testing
