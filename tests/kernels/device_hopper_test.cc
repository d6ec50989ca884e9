/// Products by Hopper's warpgroups, emulated where there is no such card: close to sums in double, the bits of those by
/// mma.sync where that is promised, the same in any company.

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/cuda/hopper_agreement.h"
#include "kernels/cuda/pack_strips.h"
#include "kernels/device_test.h"
#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr Format kStripFormats[] = {
    {Dtype::kF16}, {Dtype::kBf16}, {Dtype::kQ8_0}, {Dtype::kMxfp4, Mxfp4Layout::kSplit}};

class DeviceHopper : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && !has_warpgroups()) GTEST_SKIP() << "the GPU is no Hopper";
    is_emulated_ = !IsSkipped() && list_devices()->front().name == "emulated";
  }

  struct Strips {
    StripShape shape;
    std::byte* memory = nullptr;
  };
  Strips pack(std::span<const StripRow> rows) {
    const StripShape shape = *strip_shape(rows);
    std::vector<std::byte> packed(shape.bytes());
    EXPECT_TRUE(pack_strips(shape, rows, packed.data()).ok());
    return {shape, upload(packed)};
  }
  Strips pack(const WeightRows& w, const float* bias) {
    const BiasedRows matrix{&w, bias};
    return pack(rows_below_each_other({&matrix, 1}));
  }

  /// Rows of x as the kernels take them, zeros behind.
  static std::vector<uint16_t> round(std::span<const float> x, uint32_t cols, bool to_bf16) {
    std::vector<uint16_t> bits(x.size() / cols * padded_cols(cols), 0);
    for (size_t i = 0; i < x.size(); ++i)
      bits[i / cols * padded_cols(cols) + i % cols] = to_bf16 ? f32_to_bf16(x[i]) : f32_to_f16(x[i]);
    return bits;
  }
  ProductArgs args_of(const Strips& strips, std::span<const float> x, uint32_t rows, Sums sums) {
    ProductArgs args{};
    args.shape = strips.shape;
    args.strips = strips.memory;
    args.x = upload(round(x, strips.shape.cols, takes_bf16(strips.shape.format)));
    args.x_stride = padded_cols(strips.shape.cols);
    args.num_rows = rows;
    args.finish = Finish::kStore;
    args.out = make<float>(size_t{rows} * strips.shape.rows);
    args.out_stride = strips.shape.rows;
    args.sums = sums;
    return args;
  }
  std::vector<float> multiply(const Strips& strips, std::span<const float> x, uint32_t rows, Sums sums) {
    const ProductArgs args = args_of(strips, x, rows, sums);
    product(args, stream_.get());
    return download(args.out, size_t{rows} * strips.shape.rows);
  }

  bool is_emulated_ = false;
};

bool takes(Sums sums, const Format& format) {
  return sums != Sums::kInOneRunOnHopper || can_run_once(*strip_format_of(format.dtype), true);
}
bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_F(DeviceHopper, ProductsAreThoseOfTheRoundedInputs) {
  std::mt19937 rng(1);
  for (const Format& format : kStripFormats)
    for (const Sums sums : {Sums::kInSlicesOnHopper, Sums::kInOneRunOnHopper}) {
      if (!takes(sums, format)) continue;
      // Ragged rows, columns and tokens; tiles of 64, 128 and 256 rows.
      for (const auto& [n, k, tokens] :
           {std::array<uint32_t, 3>{16, 64, 33}, {67, 96, 70}, {130, 352, 100}, {1, 32, 130}, {40, 96, 197}}) {
        const RandomMatrix w(format.dtype, format.layout, n, k, rng);
        const auto bias = random_floats(n, rng), values = random_floats(size_t{tokens} * k, rng),
                   before = random_floats(size_t{tokens} * n, rng);
        const Strips strips = pack(w.rows, bias.data());
        ProductArgs args = args_of(strips, values, tokens, sums);
        args.finish = n == 67 ? Finish::kAccumulate : Finish::kStore;
        if (n == 67) args.out = upload(before);
        product(args, stream_.get());
        const auto got = download(args.out, before.size());
        std::vector<float> row(k);
        const bool to_bf16 = takes_bf16(strips.shape.format);
        for (uint32_t r = 0; r < n; ++r) {
          read_row(w.rows, r, row.data());
          for (uint32_t t = 0; t < tokens; ++t) {
            double want = bias[r] + (n == 67 ? before[t * n + r] : 0.0), magnitude = std::fabs(want);
            for (uint32_t i = 0; i < k; ++i) {
              const float x = values[t * k + i];
              const double part =
                  row[i] * static_cast<double>(to_bf16 ? bf16_to_f32(f32_to_bf16(x)) : f16_to_f32(f32_to_f16(x)));
              want += part;
              magnitude += std::fabs(part);
            }
            ASSERT_NEAR(got[t * n + r], want, sum_tolerance(k, magnitude))
                << dtype_name(format.dtype) << " " << n << "x" << k << " row " << r << " token " << t << " of "
                << tokens << (sums == Sums::kInOneRunOnHopper ? " in one run" : " in slices");
          }
        }
      }
    }
}

/// On a card this says what it is for a person to decide (Sums in step_ops.h); where the device rounds alike by
/// construction, the order of sums must be the same to the last bit.
TEST_F(DeviceHopper, SlicesHaveTheBitsOfThoseByMmaSync) {
  for (const uint32_t tokens : {40u, 100u}) {
    const auto agreement = compare_on_hopper(stream_, {40, 736, tokens});  // 11.5 steps: slices of one and of two
    ASSERT_TRUE(agreement.ok()) << agreement.error().message;
    if (is_emulated_)
      EXPECT_TRUE(agreement->same_bits()) << agreement->report();
    else
      RecordProperty("agreement", agreement->report());
    for (const FormatAgreement& of : agreement->formats) {
      EXPECT_EQ(of.num_sums, uint64_t{40} * tokens);
      EXPECT_LT(of.largest_difference, 1e-5);
    }
  }
}

TEST_F(DeviceHopper, ComparesOnlyWhatWarpgroupsCompute) {
  const auto agreement = compare_on_hopper(stream_, {16, 64, 32});
  ASSERT_FALSE(agreement.ok());
  EXPECT_NE(agreement.error().message.find("32 rows"), std::string::npos) << agreement.error().message;
}

TEST_F(DeviceHopper, HaveTheSameBitsInAnyCompany) {
  std::mt19937 rng(2);
  for (const Format& format : kStripFormats)
    for (const Sums sums : {Sums::kInSlicesOnHopper, Sums::kInOneRunOnHopper}) {
      if (!takes(sums, format)) continue;
      constexpr uint32_t kRows = 24, kCols = 224, kTokens = 200;
      const RandomMatrix w(format.dtype, format.layout, kRows, kCols, rng);
      const Strips strips = pack(w.rows, nullptr);
      const auto values = random_floats(kTokens * kCols, rng);
      const auto want = multiply(strips, values, kTokens, sums);
      for (const auto& [first, count] : {std::pair<uint32_t, uint32_t>{3, 40}, {61, 100}, {199, 1}}) {
        if (tile_rows_for(count, sums) == 8 && !is_emulated_) continue;  // by mma.sync
        const auto got = multiply(strips, std::span(values).subspan(first * kCols, count * kCols), count, sums);
        EXPECT_TRUE(same_bits(got, std::span(want).subspan(first * kRows, count * kRows)))
            << dtype_name(format.dtype) << " from row " << first;
      }
    }
}

/// Every code with every scale that folds, through the product with a one.
TEST_F(DeviceHopper, FoldedScalesAreExact) {
  constexpr uint32_t kFirst = 104, kScales = 128 - kFirst + 1;
  std::vector<std::byte> codes(kScales * 16), scales(kScales);
  for (uint32_t s = 0; s < kScales; ++s) {
    scales[s] = static_cast<std::byte>(kFirst + s);
    for (uint32_t j = 0; j < 16; ++j) codes[s * 16 + j] = static_cast<std::byte>(j % 8 * 2 * 17 + 16);
  }
  const WeightRows w{Dtype::kMxfp4, Mxfp4Layout::kSplit, kScales, 32, codes.data(), 16, scales.data(), 1};
  EXPECT_TRUE(scales_fold(w));
  const Strips strips = pack(w, nullptr);
  std::vector<float> units(32 * 32, 0.f), row(32);
  for (uint32_t i = 0; i < 32; ++i) units[i * 33] = 1.f;
  const auto got = multiply(strips, units, 32, Sums::kInOneRunOnHopper);
  for (uint32_t s = 0; s < kScales; ++s) {
    read_row(w, s, row.data());
    for (uint32_t i = 0; i < 32; ++i) ASSERT_EQ(got[i * kScales + s], row[i]) << "scale " << s << " element " << i;
  }
  for (const uint32_t too_far : {kFirst - 1, 129u}) {
    scales[kScales / 2] = static_cast<std::byte>(too_far);
    EXPECT_FALSE(scales_fold(w));
  }
  std::vector<std::byte> ggml(2 * kMxfp4GgmlBlockBytes, std::byte{120});
  const WeightRows g{Dtype::kMxfp4, Mxfp4Layout::kGgml, 1, 64, ggml.data(), ggml.size(), nullptr, 0};
  EXPECT_TRUE(scales_fold(g));
  ggml[kMxfp4GgmlBlockBytes] = std::byte{103};
  EXPECT_FALSE(scales_fold(g));
}

/// Experts' tiles of gathered rows through gate and up: what products by mma.sync give.
TEST_F(DeviceHopper, ExpertsTakeTheirRows) {
  constexpr uint32_t kWidth = 96, kUnits = 72, kExperts = 3, kTokens = 150, kActive = 2;  // 9 strips: 1.1 blocks
  std::mt19937 rng(3);
  std::vector<std::byte> packed;
  StripShape shape;
  for (uint32_t e = 0; e < kExperts; ++e) {
    const RandomMatrix gate(Dtype::kMxfp4, Mxfp4Layout::kGgml, kUnits, kWidth, rng),
        up(Dtype::kMxfp4, Mxfp4Layout::kGgml, kUnits, kWidth, rng);
    const auto gate_bias = random_floats(kUnits, rng), up_bias = random_floats(kUnits, rng);
    const auto rows = rows_side_by_side({&gate.rows, gate_bias.data()}, {&up.rows, up_bias.data()});
    shape = *strip_shape(rows);
    packed.resize((e + 1) * shape.bytes());
    ASSERT_TRUE(pack_strips(shape, rows, packed.data() + e * shape.bytes()).ok());
  }
  std::vector<uint32_t> indices, counts(kExperts, 0);
  for (uint32_t t = 0; t < kTokens; ++t)
    for (uint32_t c = 0; c < kActive; ++c) ++counts[indices.emplace_back(t % 5 == 0 ? 2 * c : c)];  // 30, 150, 120
  const auto slots = static_cast<uint32_t>(indices.size());
  const std::byte* strips = upload(packed);
  const uint16_t* x = upload(round(random_floats(kTokens * kWidth, rng), kWidth, false));
  const auto expand = [&](Sums sums, uint32_t tile_rows) {
    const PlanOp plan{upload(indices),
                      slots,
                      kExperts,
                      kActive,
                      tile_rows,
                      upload(counts),
                      make<uint32_t>(kExperts),
                      make<ExpertTile>(max_expert_tiles(slots, kExperts, tile_rows)),
                      make<uint32_t>(1),
                      make<uint32_t>(slots),
                      make<uint32_t>(slots)};
    plan_experts(plan, stream_.get());
    ProductArgs args{};
    args.shape = shape;
    args.strips = strips;
    args.x = x;
    args.x_stride = padded_cols(kWidth);
    args.num_rows = slots;
    args.finish = Finish::kSwiglu;
    args.out_half = upload(std::vector<uint16_t>(size_t{slots} * padded_cols(kUnits), 0));
    args.out_stride = padded_cols(kUnits);
    args.swiglu_limit = 7.f;
    args.tiles = plan.tiles;
    args.num_tiles = plan.num_tiles;
    args.max_tiles = max_expert_tiles(slots, kExperts, tile_rows);
    args.tile_rows = tile_rows;
    args.expert_bytes = shape.bytes();
    args.x_of_row = plan.token_of_place;
    args.sums = sums;
    product(args, stream_.get());
    return download(args.out_half, size_t{slots} * padded_cols(kUnits));
  };
  const auto want = expand(Sums::kInSlices, 64);
  for (const uint32_t tile_rows : {64u, 128u, 256u})
    for (const Sums sums : {Sums::kInSlicesOnHopper, Sums::kInOneRunOnHopper}) {
      if (tile_rows == 256 && sums == Sums::kInSlicesOnHopper) continue;
      const auto got = expand(sums, tile_rows);
      if (is_emulated_ && sums == Sums::kInSlicesOnHopper) {
        EXPECT_EQ(got, want) << "tiles of " << tile_rows;
      }
      for (size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(f16_to_f32(got[i]), f16_to_f32(want[i]), 2e-3 * (1 + std::fabs(f16_to_f32(want[i]))))
            << "tiles of " << tile_rows << " slot " << i / padded_cols(kUnits) << " unit " << i % padded_cols(kUnits);
    }
}

TEST_F(DeviceHopper, TilesGrowWithTheRows) {
  EXPECT_EQ(tile_rows_for(1, Sums::kInSlicesOnHopper), 8);  // where reading weights is all the work
  EXPECT_EQ(tile_rows_for(33, Sums::kInSlicesOnHopper), 64);
  EXPECT_EQ(tile_rows_for(4096, Sums::kInSlicesOnHopper), 128);
  EXPECT_EQ(tile_rows_for(1, Sums::kInOneRunOnHopper), 64);  // never by other instructions
  EXPECT_EQ(tile_rows_for(128, Sums::kInOneRunOnHopper), 128);
  EXPECT_EQ(tile_rows_for(4096, Sums::kInOneRunOnHopper), 256);
  EXPECT_EQ(tile_rows_for(4096), 64);
}

}  // namespace
}  // namespace gossamer::testing
