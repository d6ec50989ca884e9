/// What a step of few tokens does in one kernel where many take several: the same bits.

#include <cstring>
#include <random>
#include <set>

#include "kernels/cuda/pack_strips.h"
#include "kernels/device_test.h"
#include "kernels/made_up_weights.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64;
constexpr Format kStripFormats[] = {
    {Dtype::kF16}, {Dtype::kBf16}, {Dtype::kQ8_0}, {Dtype::kMxfp4, Mxfp4Layout::kSplit}};

class DeviceFew : public DeviceTest {
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
};

TEST(HalvesOfHeads, AreAnOrderOfAllRows) {
  constexpr uint32_t kRows = 3 * kHeadDim;
  const StripShape shape{StripFormat::kBf16, kRows, 64, RowOrder::kHeadHalves};
  std::set<uint32_t> seen;
  for (uint32_t strip = 0; strip < shape.num_strips(); ++strip)
    for (uint32_t i = 0; i < kStripRows; ++i) {
      const uint32_t row = shape.row_at(strip, i);
      EXPECT_EQ(row / kHeadDim, strip / 4);
      EXPECT_EQ(shape.row_at(strip, i % 8) + i / 8 * 32, row) << "what rotation turns together is in one strip";
      seen.insert(row);
    }
  EXPECT_EQ(seen.size(), kRows);
  EXPECT_EQ(*seen.rbegin(), kRows - 1);
}

TEST_F(DeviceFew, QueriesKeysAndValuesHaveTheBitsOfThreeKernels) {
  std::mt19937 rng(1);
  constexpr uint32_t kHeads = 4, kKvHeads = 2, kRows = (kHeads + 2 * kKvHeads) * kHeadDim, kWidth = 736, kPages = 5;
  for (const Format& format : kStripFormats) {
    const RandomMatrix w(format.dtype, format.layout, kRows, kWidth, rng);
    const auto bias = random_floats(kRows, rng);
    const BiasedRows matrix{&w.rows, bias.data()};
    Strips strips = pack(halves_of_heads(rows_below_each_other({&matrix, 1})));
    strips.shape.order = RowOrder::kHeadHalves;
    const auto turns = random_floats(2 * 100 * kHeadDim / 2, rng);
    const float* const cos = upload(turns);
    const KvLayout layout{KvDtype::kBf16, kKvHeads, kHeadDim};
    for (uint32_t tokens = 1; tokens <= kFewTokens; ++tokens) {
      const auto x = random_floats(size_t{tokens} * kWidth, rng), norm = random_floats(kWidth, rng);
      // Two tokens of one sequence and others of their own; the last page is nobody's.
      const std::vector<uint32_t> positions{31, 32, 5, 64}, begins{0, 0, 2, 1};
      const BatchPlaces places{upload(positions), upload(begins), upload(std::vector<uint32_t>{3, 1, 0, 2})};
      const auto compute = [&](bool few) {
        const CacheOp cache{make<std::byte>(kPages * layout.block_bytes()), layout.block_bytes(), KvDtype::kBf16,
                            kKvHeads};
        auto* const q = make<uint16_t>(tokens * kHeads * kHeadDim);
        const float *const residual = upload(x), *const weight = upload(norm), *const sin = cos + turns.size() / 2;
        if (few) {
          qkv_of_few({residual, weight, 1e-5f, tokens, strips.shape, strips.memory, kHeads, places, cos, sin, cache, q},
                     stream_.get());
        } else {
          auto* const normed = make<uint16_t>(size_t{tokens} * padded_cols(kWidth));
          rmsnorm({residual, nullptr, weight, 1e-5f, tokens, kWidth, padded_cols(kWidth),
                   takes_bf16(strips.shape.format), normed},
                  stream_.get());
          ProductArgs product_args{};
          product_args.shape = strips.shape;
          product_args.strips = strips.memory;
          product_args.x = normed;
          product_args.x_stride = padded_cols(kWidth);
          product_args.num_rows = tokens;
          product_args.finish = Finish::kStore;
          product_args.out = make<float>(size_t{tokens} * kRows);
          product_args.out_stride = kRows;
          product(product_args, stream_.get());
          rope_store({product_args.out, tokens, kHeads, places, cos, sin, cache, q}, stream_.get());
        }
        return std::pair(download(q, tokens * kHeads * kHeadDim),
                         download(cache.memory, kPages * layout.block_bytes()));
      };
      const auto many = compute(false), few = compute(true);
      EXPECT_EQ(few.first, many.first) << dtype_name(format.dtype) << ", queries of " << tokens;
      EXPECT_EQ(few.second, many.second) << dtype_name(format.dtype) << ", cache of " << tokens;
    }
  }
}

TEST_F(DeviceFew, RouteAndPlanAreThoseOfManyTokens) {
  std::mt19937 rng(2);
  constexpr uint32_t kWidth = 96, kActive = 4;
  auto* const arrived = upload(std::vector<uint32_t>{0});
  for (const uint32_t experts : {4u, 13u, 32u, 128u})
    for (uint32_t tokens = 1; takes_few_slots(tokens, tokens * kActive); ++tokens) {
      auto router = random_floats(size_t{experts} * kWidth, rng), bias = random_floats(experts, rng);
      if (tokens % 2 == 0) {  // ties
        std::fill(router.begin(), router.end(), 0.f);
        for (float& value : bias) value = std::round(value);
      }
      const auto x = random_floats(size_t{tokens} * kWidth, rng), norm = random_floats(kWidth, rng);
      struct Outcome {
        std::vector<uint32_t> indices, place_of_slot, token_of_place, tiles, num_tiles, counts;
        std::vector<float> weights, logits;
        std::vector<uint16_t> normed;
        bool operator==(const Outcome&) const = default;
      };
      const auto compute = [&](bool few) {
        const uint32_t slots = tokens * kActive;
        RouteOp route_args{};
        route_args.x = upload(x);
        route_args.norm_weight = upload(norm);
        route_args.eps = 1e-5f;
        route_args.num_tokens = tokens;
        route_args.width = kWidth;
        route_args.padded = padded_cols(kWidth);
        route_args.router = upload(router);
        route_args.bias = upload(bias);
        route_args.experts = experts;
        route_args.active = kActive;
        route_args.normed = make<uint16_t>(size_t{tokens} * route_args.padded);
        route_args.logits = make<float>(size_t{tokens} * experts);
        route_args.indices = make<uint32_t>(slots);
        route_args.weights = make<float>(slots);
        route_args.counts = upload(std::vector<uint32_t>(experts, 0));
        const PlanOp plan{route_args.indices,
                          slots,
                          experts,
                          kActive,
                          8,
                          route_args.counts,
                          make<uint32_t>(experts),
                          make<ExpertTile>(max_expert_tiles(slots, experts, 8)),
                          make<uint32_t>(1),
                          make<uint32_t>(slots),
                          make<uint32_t>(slots)};
        if (few) {
          route_and_plan_few(route_args, plan, arrived, stream_.get());
        } else {
          route(route_args, stream_.get());
          plan_experts(plan, stream_.get());
        }
        const auto num_tiles = download(plan.num_tiles, 1);
        return Outcome{download(route_args.indices, slots),
                       download(plan.place_of_slot, slots),
                       download(plan.token_of_place, slots),
                       download(reinterpret_cast<const uint32_t*>(plan.tiles), 3 * num_tiles[0]),
                       num_tiles,
                       download(route_args.counts, experts),
                       download(route_args.weights, slots),
                       download(route_args.logits, size_t{tokens} * experts),
                       download(route_args.normed, size_t{tokens} * route_args.padded)};
      };
      const Outcome many = compute(false);
      EXPECT_TRUE(compute(true) == many) << tokens << " tokens, " << experts << " experts";
      EXPECT_EQ(download(arrived, 1)[0], 0u);
    }
}

TEST_F(DeviceFew, WhatExpertsGiveHasTheBitsOfTwoKernels) {
  std::mt19937 rng(3);
  constexpr uint32_t kExperts = 6, kActive = 4, kWidth = 72, kUnits = 736;
  for (const Format& format : kStripFormats) {
    std::vector<std::byte> all;
    StripShape shape;
    for (uint32_t e = 0; e < kExperts; ++e) {
      const RandomMatrix w(format.dtype, format.layout, kWidth, kUnits, rng);
      const auto bias = random_floats(kWidth, rng);
      const BiasedRows matrix{&w.rows, bias.data()};
      const auto rows = rows_below_each_other({&matrix, 1});
      shape = *strip_shape(rows);
      all.resize((e + 1) * shape.bytes());
      ASSERT_TRUE(pack_strips(shape, rows, all.data() + e * shape.bytes()).ok());
    }
    const std::byte* const strips = upload(all);
    for (uint32_t tokens = 1; tokens <= kFewTokens; ++tokens) {
      const uint32_t slots = tokens * kActive;
      std::vector<uint32_t> indices;
      for (uint32_t t = 0; t < tokens; ++t) {
        std::set<uint32_t> chosen;
        while (chosen.size() < kActive) chosen.insert(rng() % kExperts);
        indices.insert(indices.end(), chosen.rbegin(), chosen.rend());
      }
      // Places in the order of experts, a tile for each.
      std::vector<uint32_t> place_of_slot(slots);
      std::vector<ExpertTile> tiles;
      uint32_t place = 0;
      for (uint32_t e = 0; e < kExperts; ++e) {
        const uint32_t begin = place;
        for (uint32_t slot = 0; slot < slots; ++slot)
          if (indices[slot] == e) place_of_slot[slot] = place++;
        if (place > begin) tiles.push_back({e, begin, place});
      }
      std::vector<uint16_t> inner(size_t{slots} * padded_cols(kUnits), 0);
      for (uint32_t slot = 0; slot < slots; ++slot)
        for (uint32_t i = 0; i < kUnits; ++i) {
          const float value = random_floats(1, rng)[0];
          inner[slot * padded_cols(kUnits) + i] = takes_bf16(shape.format) ? f32_to_bf16(value) : f32_to_f16(value);
        }
      const auto before = random_floats(size_t{tokens} * kWidth, rng);
      const float* const weights = upload(random_floats(slots, rng));
      const uint32_t* const places = upload(place_of_slot);

      ProductArgs contract{};
      contract.shape = shape;
      contract.strips = strips;
      contract.x = upload(inner);
      contract.x_stride = padded_cols(kUnits);
      contract.num_rows = slots;
      contract.finish = Finish::kStore;
      contract.out = make<float>(size_t{slots} * kWidth);
      contract.out_stride = kWidth;
      contract.tiles = upload(tiles);
      contract.num_tiles = upload(std::vector<uint32_t>{static_cast<uint32_t>(tiles.size())});
      contract.max_tiles = static_cast<uint32_t>(tiles.size());
      contract.tile_rows = 8;
      contract.expert_bytes = shape.bytes();
      product(contract, stream_.get());
      float* const many = upload(before);
      combine_experts({contract.out, places, weights, tokens, kActive, kWidth, many}, stream_.get());
      float* const few = upload(before);
      contract_few({shape, strips, shape.bytes(), contract.x, contract.x_stride, upload(indices), places, weights,
                    tokens, kActive, few},
                   stream_.get());
      EXPECT_EQ(download(few, before.size()), download(many, before.size()))
          << dtype_name(format.dtype) << ", " << tokens << " tokens";
    }
  }
}

}  // namespace
}  // namespace gossamer::testing
