/// Softmax in parts with a sink: sinks of any size, windows that end anywhere, in chunks or in one piece.

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "base/dtype.h"
#include "kernels/device_test.h"
#include "kernels/kv_layout.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64, kHeads = 8, kTokens = 530;

class DeviceSinks : public DeviceTest {
 protected:
  /// Rounded to bf16 before, so that queries, keys and values on the device are these.
  static float rounded(float value) { return bf16_to_f32(f32_to_bf16(value)); }

  /// Keys and values of one KV head in the cache, of kTokens positions, not rotated; `scale` of the queries.
  void fill_cache(float scale) {
    std::mt19937 rng(1);
    std::normal_distribution<float> normal(0, 1);
    qkv_.resize(kTokens * (kHeads + 2) * kHeadDim);
    for (size_t i = 0; i < qkv_.size(); ++i)
      qkv_[i] = rounded(normal(rng) * (i / kHeadDim % (kHeads + 2) < kHeads ? scale : 1.f));
    constexpr uint32_t kPages = (kTokens + kKvBlockTokens - 1) / kKvBlockTokens;
    const KvLayout layout{KvDtype::kBf16, 1, kHeadDim};
    std::vector<uint32_t> pages(kPages), positions(kTokens);
    std::iota(pages.rbegin(), pages.rend(), 0u);
    std::iota(positions.begin(), positions.end(), 0u);
    cache_ = {make<std::byte>(kPages * layout.block_bytes()), layout.block_bytes(), KvDtype::kBf16, 1};
    places_ = {upload(positions), upload(std::vector<uint32_t>(kTokens, 0)), upload(pages)};
    q_ = make<uint16_t>(kTokens * kHeads * kHeadDim);
    const std::vector<float> ones(kTokens * kHeadDim / 2, 1.f), zeros(ones.size(), 0.f);
    rope_store({upload(qkv_), kTokens, kHeads, places_, upload(ones), upload(zeros), cache_, q_}, stream_.get());
  }

  /// Of the token at one position alone.
  std::vector<uint16_t> attend_at(uint32_t position, uint32_t window, const std::vector<float>& sinks, bool split) {
    AttendOp args{};
    args.q = q_ + position * kHeads * kHeadDim;
    args.num_tokens = 1;
    args.num_heads = kHeads;
    args.places = {places_.positions + position, places_.table_begin + position, places_.pages};
    args.cache = cache_;
    args.sinks = upload(sinks);
    args.window = window;
    args.scale = 0.125f;
    args.max_chunks = 3;
    args.partial = split ? make<float>(3 * kPartialFloats) : nullptr;
    args.out = make<uint16_t>(kHeads * kHeadDim);
    attend(args, stream_.get());
    return download(args.out, kHeads * kHeadDim);
  }

  const float* row(uint32_t position, uint32_t head) const {
    return &qkv_[(position * (kHeads + 2) + head) * kHeadDim];
  }

  std::vector<float> qkv_;
  CacheOp cache_;
  BatchPlaces places_;
  uint16_t* q_ = nullptr;
};

TEST_F(DeviceSinks, AnySinkAndAnyWindowInAnySplit) {
  const std::vector<float> sinks{-INFINITY, -1e4f, -30.f, 0.f, 1.f, 30.f, 1e4f, -1.f};
  for (const float scale : {1.f, 40.f}) {  // scores of some units, and of hundreds
    fill_cache(scale);
    for (const uint32_t position : {0u, 31u, 32u, 255u, 256u, 511u, 512u, 529u})
      for (const uint32_t window : {0u, 1u, 128u, 257u, 512u}) {
        SCOPED_TRACE(::testing::Message() << "position " << position << " window " << window << " scale " << scale);
        const auto whole = attend_at(position, window, sinks, false);
        ASSERT_EQ(attend_at(position, window, sinks, true), whole);
        const uint32_t first = window > 0 && position + 1 > window ? position + 1 - window : 0;
        for (uint32_t head = 0; head < kHeads; ++head) {
          std::vector<double> weights;
          double largest = sinks[head];
          for (uint32_t p = first; p <= position; ++p) {
            double score = 0;
            for (uint32_t i = 0; i < kHeadDim; ++i)
              score += static_cast<double>(row(position, head)[i]) * row(p, kHeads)[i] * 0.125;
            weights.push_back(score);
            largest = std::max(largest, score);
          }
          double sum = std::exp(sinks[head] - largest);
          for (double& weight : weights) sum += weight = std::exp(weight - largest);
          for (uint32_t i = 0; i < kHeadDim; ++i) {
            double want = 0, magnitude = 0;
            for (uint32_t p = first; p <= position; ++p) {
              want += weights[p - first] / sum * row(p, kHeads + 1)[i];
              magnitude += weights[p - first] / sum * std::fabs(row(p, kHeads + 1)[i]);
            }
            // Weights and results are rounded to bf16; scores of hundreds have 2^-16 of error, and so have weights.
            ASSERT_NEAR(bf16_to_f32(whole[head * kHeadDim + i]), want,
                        magnitude * 0x1.2p-8 + std::fabs(want) * 0x1p-8 + 1e-6)
                << "head " << head << " number " << i;
          }
        }
      }
  }
}

}  // namespace
}  // namespace gossamer::testing
