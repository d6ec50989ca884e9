/// Embedding, norms, and the way into the cache: which bytes a token writes, and which it leaves alone.

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/cuda/kv_order.h"
#include "kernels/device_test.h"
#include "kernels/kv_layout.h"
#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

class DeviceElementwise : public DeviceTest {};

TEST_F(DeviceElementwise, EmbeddingIsTheRowOfTheFile) {
  std::mt19937 rng(1);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kQ8_0}) {
    constexpr uint32_t kVocab = 37, kWidth = 288;
    const RandomMatrix table(dtype, {}, kVocab, kWidth, rng);
    const std::vector<uint32_t> tokens{36, 0, 5, 5};
    EmbedOp args{upload(table.data),
                 table.rows.row_stride_bytes,
                 dtype,
                 upload(tokens),
                 static_cast<uint32_t>(tokens.size()),
                 kWidth,
                 make<float>(tokens.size() * kWidth)};
    embed(args, stream_.get());
    const auto got = download(args.out, tokens.size() * kWidth);
    std::vector<float> row(kWidth);
    for (size_t t = 0; t < tokens.size(); ++t) {
      read_row(table.rows, tokens[t], row.data());
      for (uint32_t i = 0; i < kWidth; ++i)
        ASSERT_EQ(got[t * kWidth + i], row[i]) << dtype_name(dtype) << " token " << t << " number " << i;
    }
  }
}

TEST_F(DeviceElementwise, NormsAreOnesOfTheChosenRows) {
  std::mt19937 rng(2);
  constexpr uint32_t kRows = 5;
  constexpr float kEps = 1e-3f;  // large beside the squares of the last row
  for (const uint32_t width : {32u, 96u, 736u})
    for (const bool to_bf16 : {false, true})
      for (const bool chosen : {false, true}) {
        auto x = random_floats(size_t{kRows} * width, rng);
        for (uint32_t i = 0; i < width; ++i) x[4 * width + i] *= 1e-3f;
        const auto weight = random_floats(width, rng);
        const std::vector<uint32_t> rows = chosen ? std::vector<uint32_t>{4, 1} : std::vector<uint32_t>{0, 1, 2, 3, 4};
        NormOp args{upload(x),
                    chosen ? upload(rows) : nullptr,
                    upload(weight),
                    kEps,
                    static_cast<uint32_t>(rows.size()),
                    width,
                    padded_cols(width),
                    to_bf16,
                    make<uint16_t>(rows.size() * padded_cols(width))};
        rmsnorm(args, stream_.get());
        const auto got = download(args.out, rows.size() * args.padded);
        for (size_t r = 0; r < rows.size(); ++r) {
          double squares = 0;
          for (uint32_t i = 0; i < width; ++i) squares += std::pow(x[rows[r] * width + i], 2.0);
          for (uint32_t i = 0; i < args.padded; ++i) {
            const uint16_t bits = got[r * args.padded + i];
            if (i >= width) {
              ASSERT_EQ(bits, 0) << "behind the row, at " << i;
              continue;
            }
            const double want = x[rows[r] * width + i] / std::sqrt(squares / width + kEps) * weight[i];
            const float value = to_bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
            ASSERT_NEAR(value, want, std::fabs(want) * (to_bf16 ? 0x1.01p-8 : 0x1.01p-11) + 1e-7)
                << "width " << width << " row " << r << " number " << i;
          }
        }
      }
}

/// Half precision ends at 65504: larger numbers become that, not an infinity, which would make NaN of a zero weight.
TEST_F(DeviceElementwise, NormsStayWithinHalfPrecision) {
  constexpr uint32_t kWidth = 32;
  std::vector<float> x(kWidth, 0.f), weight(kWidth, 1e6f);
  x[3] = 1;
  x[4] = -1;
  NormOp args{upload(x), nullptr, upload(weight), 1e-5f, 1, kWidth, 64, false, make<uint16_t>(64)};
  rmsnorm(args, stream_.get());
  const auto got = download(args.out, 64);
  EXPECT_EQ(f16_to_f32(got[3]), 65504.f);
  EXPECT_EQ(f16_to_f32(got[4]), -65504.f);
  EXPECT_EQ(f16_to_f32(got[5]), 0.f);
}

/// Two sequences in one batch, with tables of their own and pages all over: a token writes its number of bytes where
/// its table says, once each, and leaves all others alone.
TEST_F(DeviceElementwise, TokensWriteTheirOwnPlacesInTheCache) {
  constexpr uint32_t kHeads = 2, kKvHeads = 2, kHeadDim = 64, kPages = 6, kPositions = 2 * kKvBlockTokens;
  const std::vector<uint32_t> pages{5, 3, 0, 4};  // of sequence 0: pages 5 and 3; of sequence 1: 0 and 4
  std::mt19937 rng(3);
  const std::vector<float> ones(kPositions * kHeadDim / 2, 1.f), zeros(ones.size(), 0.f);
  const float* const cos = upload(ones);
  const float* const sin = upload(zeros);
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8}) {
    const KvLayout layout{dtype, kKvHeads, kHeadDim};
    const size_t element = layout.element_bytes();
    std::vector<uint32_t> times_written(kPages * layout.block_bytes(), 0);
    for (uint32_t sequence = 0; sequence < 2; ++sequence)
      for (uint32_t position = 0; position < kPositions; ++position) {
        const std::vector<std::byte> untouched(kPages * layout.block_bytes(), std::byte{0x80});  // int8 has no -128
        std::byte* const memory = upload(untouched);
        const auto qkv = random_floats((kHeads + 2 * kKvHeads) * kHeadDim, rng);
        const BatchPlaces places{upload(std::vector<uint32_t>{position}), upload(std::vector<uint32_t>{2 * sequence}),
                                 upload(pages)};
        rope_store({upload(qkv),
                    1,
                    kHeads,
                    places,
                    cos,
                    sin,
                    {memory, layout.block_bytes(), dtype, kKvHeads},
                    make<uint16_t>(kHeads * kHeadDim)},
                   stream_.get());
        const auto after = download(memory, untouched.size());
        const uint32_t page = pages[2 * sequence + position / kKvBlockTokens], slot = position % kKvBlockTokens;
        std::vector<bool> own(untouched.size(), false);
        const auto owns = [&](uint64_t offset, uint64_t bytes) {
          std::fill_n(own.begin() + static_cast<ptrdiff_t>(page * layout.block_bytes() + offset), bytes, true);
        };
        for (uint32_t head = 0; head < kKvHeads; ++head) {
          for (uint32_t i = 0; i < kHeadDim; ++i) {
            owns(layout.keys(head) + key_at(dtype, slot, i) * element, element);
            owns(layout.values(head) + value_at(dtype, slot, i) * element, element);
          }
          if (dtype != KvDtype::kInt8) continue;
          owns(layout.key_scales(head) + 2 * slot, 2);
          owns(layout.value_scales(head) + 2 * slot, 2);
        }
        for (size_t i = 0; i < after.size(); ++i) {
          times_written[i] += own[i];
          ASSERT_TRUE(own[i] || after[i] == untouched[i]) << "byte " << i << " of position " << position;
        }
      }
    // Pages 1 and 2 are nobody's; of the others every byte is somebody's, once.
    for (size_t i = 0; i < times_written.size(); ++i) {
      const size_t page = i / layout.block_bytes();
      ASSERT_EQ(times_written[i], page == 1 || page == 2 ? 0u : 1u) << kv_dtype_name(dtype) << " byte " << i;
    }
  }
}

/// A cache is larger than 4 GB: what a page's number is multiplied by is not 32 bits wide.
TEST_F(DeviceElementwise, PagesLieBeyondFourGigabytes) {
  constexpr uint32_t kHeads = 8, kKvHeads = 1, kHeadDim = 64, kPage = 1'000'003;
  const KvLayout layout{KvDtype::kBf16, kKvHeads, kHeadDim};
  ASSERT_GT(kPage * layout.block_bytes(), uint64_t{1} << 32);
  std::byte* const block = make<std::byte>(layout.block_bytes());
  // Where page 0 would be: never read.
  std::byte* const memory =
      reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(block) - kPage * layout.block_bytes());
  const CacheOp cache{memory, layout.block_bytes(), KvDtype::kBf16, kKvHeads};
  const BatchPlaces places{upload(std::vector<uint32_t>{0}), upload(std::vector<uint32_t>{0}),
                           upload(std::vector<uint32_t>{kPage})};
  std::vector<float> qkv((kHeads + 2) * kHeadDim, 0.f);
  for (uint32_t i = 0; i < kHeadDim; ++i) qkv[(kHeads + 1) * kHeadDim + i] = static_cast<float>(i);
  const std::vector<float> ones(kHeadDim / 2, 1.f), zeros(kHeadDim / 2, 0.f);
  uint16_t* const q = make<uint16_t>(kHeads * kHeadDim);
  rope_store({upload(qkv), 1, kHeads, places, upload(ones), upload(zeros), cache, q}, stream_.get());
  AttendOp args{};
  args.q = q;
  args.num_tokens = 1;
  args.num_heads = kHeads;
  args.places = places;
  args.cache = cache;
  args.sinks = upload(std::vector<float>(kHeads, 0.f));
  args.scale = 0.125f;
  args.max_chunks = 1;
  args.out = make<uint16_t>(kHeads * kHeadDim);
  attend(args, stream_.get());
  const auto got = download(args.out, kHeads * kHeadDim);
  for (uint32_t i = 0; i < kHeads * kHeadDim; ++i)  // a score of 0 beside a sink of 0: half of the value
    ASSERT_EQ(bf16_to_f32(got[i]), static_cast<float>(i % kHeadDim) / 2);
}

}  // namespace
}  // namespace gossamer::testing
