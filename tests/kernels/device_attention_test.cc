/// Rotation, the cache and attention on the device, against plain sums in double over what the cache really holds.

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "base/dtype.h"
#include "kernels/cuda/kv_order.h"
#include "kernels/device_test.h"
#include "kernels/kv_layout.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64;

/// A sequence on the device: its pages lie in another order than its tokens.
struct Sequence {
  uint32_t tokens, num_heads, kv_heads, num_pages;
  KvLayout layout;
  CacheOp cache;
  std::vector<uint32_t> pages, positions;
  BatchPlaces places;
  std::vector<float> qkv;
  uint16_t* q;
};

class DeviceAttention : public DeviceTest {
 protected:
  /// Everything is computed and stored in one batch, rotated by the angles position * (i + 1) / 1000.
  Sequence store(uint32_t tokens, uint32_t num_heads, uint32_t kv_heads, KvDtype dtype, std::mt19937& rng) {
    Sequence s{tokens,
               num_heads,
               kv_heads,
               (tokens + kKvBlockTokens - 1) / kKvBlockTokens,
               {dtype, kv_heads, kHeadDim},
               {},
               {},
               {},
               {},
               {},
               nullptr};
    s.pages.resize(s.num_pages);
    for (uint32_t page = 0; page < s.num_pages; ++page) s.pages[page] = s.num_pages - 1 - page;
    s.positions.resize(tokens);
    std::iota(s.positions.begin(), s.positions.end(), 0u);
    s.cache = {make<std::byte>(s.num_pages * s.layout.block_bytes()), s.layout.block_bytes(), dtype, kv_heads};
    s.places = {upload(s.positions), upload(std::vector<uint32_t>(tokens, 0)), upload(s.pages)};
    std::normal_distribution<float> normal(0, 1);
    s.qkv.resize(size_t{tokens} * (num_heads + 2 * kv_heads) * kHeadDim);
    for (float& value : s.qkv) value = normal(rng);
    std::vector<float> cos(size_t{tokens} * kHeadDim / 2), sin(cos.size());
    for (size_t i = 0; i < cos.size(); ++i) {
      const double angle = static_cast<double>(i / 32) * static_cast<double>(i % 32 + 1) / 1000;
      cos[i] = static_cast<float>(std::cos(angle));
      sin[i] = static_cast<float>(std::sin(angle));
    }
    s.q = make<uint16_t>(size_t{tokens} * num_heads * kHeadDim);
    rope_store({upload(s.qkv), tokens, num_heads, s.places, upload(cos), upload(sin), s.cache, s.q}, stream_.get());
    return s;
  }

  /// Keys or values of a position and KV head, as attention reads them.
  static std::vector<float> read(const Sequence& s, const std::vector<std::byte>& memory, uint32_t position,
                                 uint32_t head, bool values) {
    const uint32_t slot = position % kKvBlockTokens;
    const std::byte* block = memory.data() + s.pages[position / kKvBlockTokens] * s.layout.block_bytes();
    const std::byte* numbers = block + (values ? s.layout.values(head) : s.layout.keys(head));
    float scale = 1;
    if (s.layout.dtype == KvDtype::kInt8) {
      uint16_t bits;
      std::memcpy(&bits, block + (values ? s.layout.value_scales(head) : s.layout.key_scales(head)) + 2 * slot, 2);
      scale = bf16_to_f32(bits);
    }
    std::vector<float> out(kHeadDim);
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      const uint32_t at = values ? value_at(s.layout.dtype, slot, i) : key_at(s.layout.dtype, slot, i);
      uint16_t bits;
      if (s.layout.dtype == KvDtype::kInt8) {
        out[i] = scale * static_cast<float>(static_cast<int8_t>(numbers[at]));
      } else {
        std::memcpy(&bits, numbers + 2 * at, 2);
        out[i] = bf16_to_f32(bits);
      }
    }
    return out;
  }

  AttendOp attention_of(const Sequence& s, const std::vector<float>& sinks, uint32_t window) {
    AttendOp args{};
    args.q = s.q;
    args.num_tokens = s.tokens;
    args.num_heads = s.num_heads;
    args.places = s.places;
    args.cache = s.cache;
    args.sinks = upload(sinks);
    args.window = window;
    args.scale = 0.125f;
    args.max_chunks = (s.tokens + 255) / 256;
    args.out = make<uint16_t>(size_t{s.tokens} * s.num_heads * kHeadDim);
    return args;
  }
};

TEST_F(DeviceAttention, KeysAreRotatedAndKeptAsTheCacheSays) {
  std::mt19937 rng(1);
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8}) {
    const Sequence s = store(70, 4, 2, dtype, rng);
    const auto memory = download(s.cache.memory, s.num_pages * s.layout.block_bytes());
    const uint32_t heads = s.num_heads + 2 * s.kv_heads;
    for (uint32_t t = 0; t < s.tokens; ++t)
      for (uint32_t head = 0; head < 2 * s.kv_heads; ++head) {
        const bool values = head >= s.kv_heads;
        const float* x = &s.qkv[(size_t{t} * heads + s.num_heads + head) * kHeadDim];
        const auto got = read(s, memory, t, head % s.kv_heads, values);
        double largest = 0;
        std::vector<double> want(kHeadDim);
        for (uint32_t i = 0; i < kHeadDim / 2; ++i) {
          const double angle = values ? 0 : static_cast<double>(t) * (i + 1) / 1000;
          want[i] = x[i] * std::cos(angle) - x[i + 32] * std::sin(angle);
          want[i + 32] = x[i + 32] * std::cos(angle) + x[i] * std::sin(angle);
        }
        for (const double value : want) largest = std::max(largest, std::fabs(value));
        for (uint32_t i = 0; i < kHeadDim; ++i) {
          // Half a unit of bf16; of int8 half of a step, and a scale that bf16 may have rounded down: 127.25 steps are
          // cut to 127.
          const double tolerance =
              dtype == KvDtype::kBf16 ? std::fabs(want[i]) * 0x1p-8 + 1e-6 : largest / 127 * (0.5 + 0.26) + 1e-6;
          ASSERT_NEAR(got[i], want[i], tolerance) << "token " << t << " head " << head << " number " << i;
        }
      }
  }
}

TEST_F(DeviceAttention, IsThatOfTheCache) {
  std::mt19937 rng(2);
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8})
    for (const auto& [num_heads, kv_heads] : {std::pair<uint32_t, uint32_t>{8, 1}, {6, 2}}) {
      const Sequence s = store(300, num_heads, kv_heads, dtype, rng);
      const auto memory = download(s.cache.memory, s.num_pages * s.layout.block_bytes());
      const auto q = download(s.q, size_t{s.tokens} * num_heads * kHeadDim);
      std::vector<float> sinks(num_heads);
      for (float& sink : sinks) sink = static_cast<float>(rng() % 100) / 25 - 2;
      std::vector<std::vector<float>> keys, values;  // [position * G + head]
      for (uint32_t t = 0; t < s.tokens; ++t)
        for (uint32_t head = 0; head < kv_heads; ++head) {
          keys.push_back(read(s, memory, t, head, false));
          values.push_back(read(s, memory, t, head, true));
        }
      for (const uint32_t window : {0u, 40u}) {
        AttendOp args = attention_of(s, sinks, window);
        attend(args, stream_.get());
        const auto got = download(args.out, size_t{s.tokens} * num_heads * kHeadDim);
        for (const uint32_t t : {0u, 1u, 31u, 32u, 39u, 40u, 200u, 255u, 256u, 257u, 299u})
          for (uint32_t h = 0; h < num_heads; ++h) {
            const uint32_t g = h / (num_heads / kv_heads), first = window > 0 && t + 1 > window ? t + 1 - window : 0;
            const uint16_t* query = &q[(size_t{t} * num_heads + h) * kHeadDim];
            std::vector<double> scores;
            double largest = sinks[h];
            for (uint32_t p = first; p <= t; ++p) {
              double score = 0;
              for (uint32_t i = 0; i < kHeadDim; ++i)
                score += static_cast<double>(bf16_to_f32(query[i])) * keys[p * kv_heads + g][i];
              scores.push_back(score * 0.125);
              largest = std::max(largest, scores.back());
            }
            double sum = std::exp(sinks[h] - largest);
            for (double& score : scores) sum += score = std::exp(score - largest);
            for (uint32_t i = 0; i < kHeadDim; ++i) {
              double want = 0, magnitude = 0;
              for (uint32_t p = first; p <= t; ++p) {
                const double part = scores[p - first] / sum * values[p * kv_heads + g][i];
                want += part;
                magnitude += std::fabs(part);
              }
              // A weight is rounded to bf16 (with its value's scale, where there is one), and so is the result; the
              // exponential has some 2^-20.
              const double tolerance = magnitude * 0x1p-8 + std::fabs(want) * 0x1p-8 + 1e-6;
              ASSERT_NEAR(bf16_to_f32(got[(size_t{t} * num_heads + h) * kHeadDim + i]), want, tolerance)
                  << kv_dtype_name(dtype) << " window " << window << " token " << t << " head " << h << " number " << i;
            }
          }
      }
    }
}

TEST_F(DeviceAttention, HasTheSameBitsWhereChunksAreSplit) {
  std::mt19937 rng(3);
  const Sequence s = store(600, 8, 1, KvDtype::kBf16, rng);
  const std::vector<float> sinks(8, 0.5f);
  for (const uint32_t window : {0u, 128u}) {
    AttendOp whole = attention_of(s, sinks, window);
    attend(whole, stream_.get());
    AttendOp split = attention_of(s, sinks, window);
    split.partial = make<float>(size_t{s.tokens} * split.max_chunks * kPartialFloats);
    attend(split, stream_.get());
    const size_t count = size_t{s.tokens} * 8 * kHeadDim;
    EXPECT_EQ(download(whole.out, count), download(split.out, count)) << window;
  }
}

}  // namespace
}  // namespace gossamer::testing
