/// Products in strips: exact weights, in any company the same bits, and close to kernels/ref.

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/cuda/pack_strips.h"
#include "kernels/device_test.h"
#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr Format kStripFormats[] = {{Dtype::kF16},
                                    {Dtype::kBf16},
                                    {Dtype::kQ8_0},
                                    {Dtype::kMxfp4, Mxfp4Layout::kSplit},
                                    {Dtype::kMxfp4, Mxfp4Layout::kGgml}};

class DeviceProducts : public DeviceTest {
 protected:
  struct Strips {
    StripShape shape;
    std::byte* memory;
  };
  Strips pack(std::span<const StripRow> rows) {
    auto shape = strip_shape(rows);
    EXPECT_TRUE(shape.ok());
    std::vector<std::byte> packed(shape->bytes());
    EXPECT_TRUE(pack_strips(*shape, rows, packed.data()).ok());
    return {*shape, upload(packed)};
  }

  /// Rows of x as the kernels take them, zeros behind.
  struct Rounded {
    std::vector<uint16_t> bits;  // [rows, stride]
    std::vector<float> values;   // [rows, cols]
    uint32_t stride;
  };
  static Rounded round(std::span<const float> x, uint32_t cols, bool to_bf16) {
    Rounded out{{}, {}, padded_cols(cols)};
    const size_t rows = x.size() / cols;
    out.bits.assign(rows * out.stride, 0);
    for (size_t i = 0; i < x.size(); ++i) {
      const uint16_t bits = to_bf16 ? f32_to_bf16(x[i]) : f32_to_f16(x[i]);
      out.bits[i / cols * out.stride + i % cols] = bits;
      out.values.push_back(to_bf16 ? bf16_to_f32(bits) : f16_to_f32(bits));
    }
    return out;
  }

  ProductArgs args_of(const Strips& strips, const Rounded& x, uint32_t rows, float* out) {
    ProductArgs args{};
    args.shape = strips.shape;
    args.strips = strips.memory;
    args.x = upload(x.bits);
    args.x_stride = x.stride;
    args.num_rows = rows;
    args.finish = Finish::kStore;
    args.out = out;
    args.out_stride = strips.shape.rows;
    return args;
  }
};

TEST_F(DeviceProducts, AreThoseOfTheRoundedInputs) {
  std::mt19937 rng(1);
  for (const Format& format : kStripFormats)
    for (const auto& [n, k] : {std::pair<uint32_t, uint32_t>{16, 64}, {67, 96}, {1, 32}, {130, 1440}}) {
      const RandomMatrix w(format.dtype, format.layout, n, k, rng);
      const auto bias = random_floats(n, rng);
      const BiasedRows matrix{&w.rows, bias.data()};
      const Strips strips = pack(rows_below_each_other({&matrix, 1}));
      std::vector<float> row(k);
      for (const uint32_t tokens : {1u, 7u, 9u, 70u}) {
        if (k > 100 && tokens > 9) continue;
        const Rounded x = round(random_floats(size_t{tokens} * k, rng), k, takes_bf16(strips.shape.format));
        const auto before = random_floats(size_t{tokens} * n, rng);
        for (const bool accumulate : {false, true}) {
          ProductArgs args = args_of(strips, x, tokens, upload(before));
          args.finish = accumulate ? Finish::kAccumulate : Finish::kStore;
          product(args, stream_.get());
          const auto got = download(args.out, before.size());
          for (uint32_t r = 0; r < n; ++r) {
            read_row(w.rows, r, row.data());
            for (uint32_t t = 0; t < tokens; ++t) {
              double want = bias[r] + (accumulate ? before[t * n + r] : 0.0), magnitude = std::fabs(want);
              for (uint32_t i = 0; i < k; ++i) {
                want += static_cast<double>(row[i]) * x.values[t * k + i];
                magnitude += std::fabs(static_cast<double>(row[i]) * x.values[t * k + i]);
              }
              ASSERT_NEAR(got[t * n + r], want, sum_tolerance(k, magnitude))
                  << dtype_name(format.dtype) << " " << n << "x" << k << " row " << r << " token " << t << " of "
                  << tokens;
            }
          }
        }
      }
    }
}

TEST_F(DeviceProducts, HaveTheSameBitsInAnyCompany) {
  std::mt19937 rng(2);
  for (const Format& format : kStripFormats) {
    constexpr uint32_t kRows = 40, kCols = 736, kTokens = 70;  // 11.5 steps: slices of one and of two
    const RandomMatrix w(format.dtype, format.layout, kRows, kCols, rng);
    const BiasedRows matrix{&w.rows, nullptr};
    const Strips strips = pack(rows_below_each_other({&matrix, 1}));
    const auto values = random_floats(kTokens * kCols, rng);
    const bool to_bf16 = takes_bf16(strips.shape.format);
    ProductArgs together = args_of(strips, round(values, kCols, to_bf16), kTokens, make<float>(kTokens * kRows));
    product(together, stream_.get());
    const auto want = download(together.out, kTokens * kRows);
    for (const uint32_t first : {0u, 3u, 61u}) {
      const uint32_t count = first == 3 ? 9 : 1;
      const std::span<const float> some = std::span(values).subspan(first * kCols, count * kCols);
      ProductArgs alone = args_of(strips, round(some, kCols, to_bf16), count, make<float>(count * kRows));
      product(alone, stream_.get());
      const auto got = download(alone.out, count * kRows);
      ASSERT_EQ(std::memcmp(got.data(), want.data() + first * kRows, got.size() * sizeof(float)), 0)
          << dtype_name(format.dtype) << " from row " << first;
    }
  }
}

/// Every code of MXFP4 with every scale that is admitted, through the product with a one.
TEST_F(DeviceProducts, EveryCodeAndScaleIsExact) {
  constexpr uint32_t kScales = 241;
  std::vector<std::byte> codes(kScales * 16), scales(kScales);
  for (uint32_t s = 0; s < kScales; ++s) {
    scales[s] = static_cast<std::byte>(s);
    for (uint32_t j = 0; j < 16; ++j) codes[s * 16 + j] = static_cast<std::byte>(j % 8 * 2 * 17 + 16);
  }
  const WeightRows w{Dtype::kMxfp4, Mxfp4Layout::kSplit, kScales, 32, codes.data(), 16, scales.data(), 1};
  const BiasedRows matrix{&w, nullptr};
  const Strips strips = pack(rows_below_each_other({&matrix, 1}));
  std::vector<float> units(32 * 32, 0.f), row(32);
  for (uint32_t i = 0; i < 32; ++i) units[i * 33] = 1.f;
  ProductArgs args = args_of(strips, round(units, 32, false), 32, make<float>(32 * kScales));
  product(args, stream_.get());
  const auto got = download(args.out, 32 * kScales);
  for (uint32_t s = 0; s < kScales; ++s) {
    read_row(w, s, row.data());
    for (uint32_t i = 0; i < 32; ++i) ASSERT_EQ(got[i * kScales + s], row[i]) << "scale " << s << " element " << i;
  }
}

TEST_F(DeviceProducts, ScalesThatHalfPrecisionCannotFollowAreRefused) {
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
