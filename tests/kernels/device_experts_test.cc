/// Router, plan and experts on the device, against kernels/ref.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "kernels/cuda/pack_strips.h"
#include "kernels/device_test.h"
#include "kernels/made_up_weights.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

class DeviceExperts : public DeviceTest {
 protected:
  /// Plans with counts as route() leaves them; everything stays on the device.
  PlanOp plan_on_device(const std::vector<uint32_t>& indices, uint32_t experts, uint32_t active, uint32_t tile_rows,
                        const std::vector<uint32_t>& order = {}, uint32_t num_on_host = 0) {
    std::vector<uint32_t> counts(experts, 0);
    for (const uint32_t expert : indices) ++counts[expert];
    const auto slots = static_cast<uint32_t>(indices.size());
    PlanOp args{upload(indices),
                slots,
                experts,
                active,
                tile_rows,
                upload(counts),
                make<uint32_t>(experts),
                make<ExpertTile>(max_expert_tiles(slots, experts, tile_rows)),
                make<uint32_t>(1),
                make<uint32_t>(slots),
                make<uint32_t>(slots),
                order.empty() ? nullptr : upload(order),
                num_on_host};
    plan_experts(args, stream_.get());
    return args;
  }

  struct Planned {
    std::vector<ExpertTile> tiles;
    std::vector<uint32_t> token_of_place, place_of_slot, counts;
  };
  Planned plan(const std::vector<uint32_t>& indices, uint32_t experts, uint32_t active, uint32_t tile_rows,
               const std::vector<uint32_t>& order = {}, uint32_t num_on_host = 0) {
    const PlanOp args = plan_on_device(indices, experts, active, tile_rows, order, num_on_host);
    const uint32_t num_tiles = download(args.num_tiles, 1)[0];
    EXPECT_LE(num_tiles, max_expert_tiles(args.num_slots, experts - num_on_host, tile_rows));
    return {download(args.tiles, num_tiles), download(args.token_of_place, args.num_slots),
            download(args.place_of_slot, args.num_slots), download(args.counts, experts)};
  }
};

TEST_F(DeviceExperts, EverySlotIsInOneTileOfItsExpert) {
  std::mt19937 rng(1);
  for (const uint32_t experts : {4u, 32u, 128u})
    for (const uint32_t tokens : {1u, 2u, 9u, 100u, 300u})
      for (const uint32_t tile_rows : {8u, 64u}) {
        const uint32_t active = 4, skew = rng() % 3;
        std::vector<uint32_t> indices;
        for (uint32_t t = 0; t < tokens; ++t) {
          std::set<uint32_t> chosen;
          while (chosen.size() < active)
            chosen.insert(skew == 0 ? rng() % experts : rng() % std::min(experts, 4 + skew));
          indices.insert(indices.end(), chosen.begin(), chosen.end());
        }
        const Planned got = plan(indices, experts, active, tile_rows);
        EXPECT_EQ(got.counts, std::vector<uint32_t>(experts, 0));
        std::vector<uint32_t> slot_of_place(indices.size(), ~0u);
        for (uint32_t slot = 0; slot < indices.size(); ++slot) {
          ASSERT_LT(got.place_of_slot[slot], indices.size());
          slot_of_place[got.place_of_slot[slot]] = slot;
          EXPECT_EQ(got.token_of_place[got.place_of_slot[slot]], slot / active);
        }
        uint32_t place = 0;
        for (const ExpertTile& tile : got.tiles) {
          EXPECT_EQ(tile.begin, place);
          EXPECT_LE(tile.end - tile.begin, tile_rows);
          for (; place < tile.end; ++place) ASSERT_EQ(indices[slot_of_place[place]], tile.expert);
        }
        EXPECT_EQ(place, indices.size());
        for (uint32_t p = 1; p < indices.size(); ++p) {
          const uint32_t before = slot_of_place[p - 1], slot = slot_of_place[p];
          EXPECT_TRUE(indices[before] < indices[slot] || (indices[before] == indices[slot] && before < slot));
        }
      }
}

/// Every (row, place) in one tile, for all counts of two experts up to a bound and some of three about the edges of
/// tiles: rows are the slots here.
TEST_F(DeviceExperts, TilesTakeEverySlotOnceWhateverTheCounts) {
  std::vector<std::pair<std::vector<uint32_t>, uint32_t>> plans;  // counts, tile_rows
  for (uint32_t a = 0; a <= 26; ++a)
    for (uint32_t b = 0; b <= 26; ++b)
      if (a + b > 0) plans.push_back({{a, b}, 8});
  for (const uint32_t a : {0u, 1u, 63u, 64u, 65u, 129u})
    for (const uint32_t b : {0u, 1u, 63u, 64u, 65u, 128u})
      for (const uint32_t c : {0u, 7u, 64u})
        if (a + b + c > 0) plans.push_back({{a, b, c}, 64});
  std::mt19937 rng(3);
  for (const auto& [counts, tile_rows] : plans) {
    std::vector<uint32_t> indices;
    for (uint32_t expert = 0; expert < counts.size(); ++expert) indices.insert(indices.end(), counts[expert], expert);
    std::shuffle(indices.begin(), indices.end(), rng);
    const Planned got = plan(indices, static_cast<uint32_t>(counts.size()), 1, tile_rows);
    std::vector<uint32_t> seen(indices.size(), 0), slot_of_place(indices.size(), ~0u);
    for (uint32_t slot = 0; slot < indices.size(); ++slot) slot_of_place.at(got.place_of_slot[slot]) = slot;
    for (const ExpertTile& tile : got.tiles) {
      ASSERT_LT(tile.begin, tile.end);
      ASSERT_LE(tile.end - tile.begin, tile_rows);
      for (uint32_t place = tile.begin; place < tile.end; ++place) {
        ++seen.at(place);
        ASSERT_EQ(indices.at(slot_of_place.at(place)), tile.expert);
        ASSERT_EQ(got.token_of_place[place], slot_of_place[place]);
      }
    }
    ASSERT_EQ(seen, std::vector<uint32_t>(indices.size(), 1)) << counts[0] << " and " << counts[1];
    uint32_t wanted_tiles = 0;
    for (const uint32_t count : counts) wanted_tiles += (count + tile_rows - 1) / tile_rows;
    ASSERT_EQ(got.tiles.size(), wanted_tiles);
  }
}

/// All rows of six logits out of three values, and rows of 128 with few values: the order of a stable sort. Where fewer
/// than four are numbers, what is chosen is at least an expert.
TEST_F(DeviceExperts, ChoiceIsThatOfAStableSort) {
  constexpr uint32_t kWidth = 64, kActive = 4;
  std::mt19937 rng(4);
  for (const uint32_t experts : {6u, 32u, 128u}) {
    std::vector<std::vector<float>> rows;
    for (uint32_t code = 0; experts == 6 && code < 729; ++code) {
      std::vector<float> row;
      for (uint32_t e = 0, rest = code; e < experts; ++e, rest /= 3) row.push_back(static_cast<float>(rest % 3) - 1);
      rows.push_back(row);
    }
    for (uint32_t i = 0; experts > 6 && i < 64; ++i) {
      std::vector<float> row(experts);
      for (float& logit : row) logit = static_cast<float>(rng() % (i < 32 ? 3 : 1000));
      rows.push_back(row);
    }
    for (size_t first = 0; first < rows.size(); first += kWidth) {
      // Token t has a one at t, so that the router's column t is its logits, times what the norm makes of the one.
      const auto tokens = static_cast<uint32_t>(std::min<size_t>(kWidth, rows.size() - first));
      std::vector<float> x(tokens * kWidth, 0.f), router(experts * kWidth, 0.f);
      for (uint32_t t = 0; t < tokens; ++t) {
        x[t * kWidth + t] = 1;
        for (uint32_t e = 0; e < experts; ++e) router[e * kWidth + t] = rows[first + t][e];
      }
      RouteOp args{};
      args.x = upload(x);
      args.norm_weight = upload(std::vector<float>(kWidth, 1.f));
      args.num_tokens = tokens;
      args.width = args.padded = kWidth;
      args.router = upload(router);
      args.bias = upload(std::vector<float>(experts, 0.f));
      args.experts = experts;
      args.active = kActive;
      args.normed = make<uint16_t>(tokens * kWidth);
      args.logits = make<float>(tokens * experts);
      args.indices = make<uint32_t>(tokens * kActive);
      args.weights = make<float>(tokens * kActive);
      args.counts = upload(std::vector<uint32_t>(experts, 0));
      route(args, stream_.get());
      const auto logits = download(args.logits, tokens * experts);
      const auto indices = download(args.indices, tokens * kActive);
      const auto weights = download(args.weights, tokens * kActive);
      const auto counts = download(args.counts, experts);
      std::vector<uint32_t> want_counts(experts, 0);
      for (uint32_t t = 0; t < tokens; ++t) {
        const float* row = &logits[t * experts];
        std::vector<uint32_t> order(experts);
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](uint32_t a, uint32_t b) { return rows[first + t][a] > rows[first + t][b]; });
        double sum = 0, total = 0;
        for (uint32_t c = 0; c < kActive; ++c) sum += std::exp(static_cast<double>(row[order[c]]) - row[order[0]]);
        for (uint32_t c = 0; c < kActive; ++c) {
          ASSERT_EQ(indices[t * kActive + c], order[c]) << experts << " experts, row " << first + t;
          ASSERT_NEAR(weights[t * kActive + c], std::exp(static_cast<double>(row[order[c]]) - row[order[0]]) / sum,
                      1e-6);
          total += weights[t * kActive + c];
          ++want_counts[order[c]];
        }
        ASSERT_NEAR(total, 1, 1e-6);
      }
      ASSERT_EQ(counts, want_counts);
    }
  }
}

TEST_F(DeviceExperts, RowsOfNanChooseExpertsThatExist) {
  constexpr uint32_t kWidth = 32, kExperts = 32, kActive = 4;
  RouteOp args{};
  args.x = upload(std::vector<float>(kWidth, NAN));
  args.norm_weight = upload(std::vector<float>(kWidth, 1.f));
  args.num_tokens = 1;
  args.width = kWidth;
  args.padded = padded_cols(kWidth);
  args.router = upload(std::vector<float>(kExperts * kWidth, 1.f));
  args.bias = upload(std::vector<float>(kExperts, 0.f));
  args.experts = kExperts;
  args.active = kActive;
  args.normed = make<uint16_t>(args.padded);
  args.logits = make<float>(kExperts);
  args.indices = make<uint32_t>(kActive);
  args.weights = make<float>(kActive);
  args.counts = upload(std::vector<uint32_t>(kExperts, 0));
  route(args, stream_.get());
  EXPECT_EQ(download(args.indices, kActive), (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(download(args.counts, kExperts)[3], 1u);
}

/// Experts in another order, the last of which the host computes: their slots are the last ones, and nobody's tile.
TEST_F(DeviceExperts, ThoseOfTheHostComeLastAndHaveNoTiles) {
  std::mt19937 rng(5);
  for (const uint32_t experts : {5u, 128u})
    for (const uint32_t num_on_host : {0u, 2u, experts - 1, experts}) {
      constexpr uint32_t kActive = 4, kTokens = 60, kTileRows = 8;
      std::vector<uint32_t> order(experts), place_of_expert(experts), indices;
      for (uint32_t e = 0; e < experts; ++e) order[e] = e;
      std::shuffle(order.begin(), order.end(), rng);
      for (uint32_t place = 0; place < experts; ++place) place_of_expert[order[place]] = place;
      for (uint32_t t = 0; t < kTokens; ++t) {
        std::set<uint32_t> chosen;
        while (chosen.size() < kActive) chosen.insert(rng() % experts);
        indices.insert(indices.end(), chosen.begin(), chosen.end());
      }
      const Planned got = plan(indices, experts, kActive, kTileRows, order, num_on_host);
      EXPECT_EQ(got.counts, std::vector<uint32_t>(experts, 0));
      std::vector<uint32_t> want(indices.size());
      for (uint32_t slot = 0; slot < want.size(); ++slot) want[slot] = slot;
      std::stable_sort(want.begin(), want.end(), [&](uint32_t a, uint32_t b) {
        return place_of_expert[indices[a]] < place_of_expert[indices[b]];
      });
      for (uint32_t place = 0; place < want.size(); ++place) {
        EXPECT_EQ(got.place_of_slot[want[place]], place);
        EXPECT_EQ(got.token_of_place[place], want[place] / kActive);
      }
      uint32_t place = 0;
      for (const ExpertTile& tile : got.tiles) {
        EXPECT_EQ(tile.begin, place);
        EXPECT_LT(tile.expert, experts - num_on_host);
        for (; place < tile.end; ++place) ASSERT_EQ(place_of_expert[indices[want[place]]], tile.expert);
      }
      const auto of_host = std::count_if(indices.begin(), indices.end(), [&](uint32_t expert) {
        return place_of_expert[expert] >= experts - num_on_host;
      });
      EXPECT_EQ(place + of_host, indices.size());
    }
}

TEST_F(DeviceExperts, RouterTakesTheLowerAmongEquals) {
  constexpr uint32_t kWidth = 32, kExperts = 128, kTokens = 3;
  // A router of zeros: the biases are the logits.
  std::vector<float> bias(kExperts, 0.f);
  bias[77] = bias[5] = 2.f;
  bias[100] = 1.f;
  const std::vector<float> x(kTokens * kWidth, 1.f), norm(kWidth, 1.f), router(kExperts * kWidth, 0.f);
  RouteOp args{};
  args.x = upload(x);
  args.norm_weight = upload(norm);
  args.eps = 1e-5f;
  args.num_tokens = kTokens;
  args.width = kWidth;
  args.padded = padded_cols(kWidth);
  args.router = upload(router);
  args.bias = upload(bias);
  args.experts = kExperts;
  args.active = 4;
  args.normed = make<uint16_t>(kTokens * args.padded);
  args.logits = make<float>(kTokens * kExperts);
  args.indices = make<uint32_t>(kTokens * 4);
  args.weights = make<float>(kTokens * 4);
  args.counts = upload(std::vector<uint32_t>(kExperts, 0));
  route(args, stream_.get());
  const auto indices = download(args.indices, kTokens * 4);
  const auto weights = download(args.weights, kTokens * 4);
  const double sum = 2 + std::exp(-1.0) + std::exp(-2.0);
  for (uint32_t t = 0; t < kTokens; ++t) {
    EXPECT_EQ(std::vector<uint32_t>(indices.begin() + 4 * t, indices.begin() + 4 * t + 4),
              (std::vector<uint32_t>{5, 77, 100, 0}));
    EXPECT_NEAR(weights[4 * t], 1 / sum, 1e-6);
    EXPECT_NEAR(weights[4 * t + 3], std::exp(-2.0) / sum, 1e-6);
  }
  const auto counts = download(args.counts, kExperts);
  EXPECT_EQ(counts[5], kTokens);
  EXPECT_EQ(counts[0], kTokens);
  const auto normed = download(args.normed, kTokens * args.padded);
  EXPECT_NEAR(f16_to_f32(normed[0]), 1 / std::sqrt(1 + 1e-5), 1e-3);
  EXPECT_EQ(normed[kWidth], 0);
}

/// All of it: what the layer adds to the residual.
TEST_F(DeviceExperts, AddWhatRefAdds) {
  std::mt19937 rng(2);
  RefBackend ref;
  for (const auto& [width, units, experts, tokens] :
       {std::array<uint32_t, 4>{64, 96, 8, 1}, {96, 160, 8, 5}, {64, 64, 4, 150}}) {
    constexpr uint32_t kActive = 4;
    constexpr float kLimit = 7.f;
    const auto matrices = [&](uint32_t n, uint32_t k) {
      std::vector<RandomMatrix> all;
      for (uint32_t e = 0; e < experts; ++e) all.emplace_back(Dtype::kMxfp4, Mxfp4Layout::kGgml, n, k, rng);
      return all;
    };
    const auto gates = matrices(units, width), ups = matrices(units, width), downs = matrices(width, units);
    const auto gate_bias = random_floats(size_t{experts} * units, rng),
               up_bias = random_floats(size_t{experts} * units, rng),
               down_bias = random_floats(size_t{experts} * width, rng);
    const auto x = random_floats(size_t{tokens} * width, rng);
    std::vector<uint32_t> indices;
    std::vector<float> weights;
    for (uint32_t t = 0; t < tokens; ++t) {
      std::set<uint32_t> chosen;
      while (chosen.size() < kActive) chosen.insert(rng() % (tokens == 150 ? 4 : experts));
      indices.insert(indices.end(), chosen.begin(), chosen.end());
      for (uint32_t c = 0; c < kActive; ++c) weights.push_back(0.1f + static_cast<float>(c) * 0.1f);
    }

    const auto strips_of = [&](auto&& rows_of) {
      std::vector<std::byte> all;
      StripShape shape;
      for (uint32_t e = 0; e < experts; ++e) {
        const std::vector<StripRow> rows = rows_of(e);
        shape = *strip_shape(rows);
        all.resize((e + 1) * shape.bytes());
        EXPECT_TRUE(pack_strips(shape, rows, all.data() + e * shape.bytes()).ok());
      }
      return std::pair(shape, upload(all));
    };
    const auto [expand_shape, expand_strips] = strips_of([&](uint32_t e) {
      return rows_side_by_side({&gates[e].rows, &gate_bias[e * units]}, {&ups[e].rows, &up_bias[e * units]});
    });
    const auto [contract_shape, contract_strips] = strips_of([&](uint32_t e) {
      const BiasedRows matrix{&downs[e].rows, &down_bias[e * width]};
      return rows_below_each_other({&matrix, 1});
    });

    const auto slots = static_cast<uint32_t>(indices.size());
    const uint32_t tile_rows = tokens == 150 ? 64 : 8;
    const PlanOp planned = plan_on_device(indices, experts, kActive, tile_rows);
    std::vector<uint16_t> rounded(size_t{tokens} * padded_cols(width), 0);
    std::vector<float> x_rounded;
    for (size_t i = 0; i < x.size(); ++i) {
      rounded[i / width * padded_cols(width) + i % width] = f32_to_f16(x[i]);
      x_rounded.push_back(f16_to_f32(f32_to_f16(x[i])));
    }
    ProductArgs expand{};
    expand.shape = expand_shape;
    expand.strips = expand_strips;
    expand.x = upload(rounded);
    expand.x_stride = padded_cols(width);
    expand.num_rows = slots;
    expand.finish = Finish::kSwiglu;
    expand.out_half = upload(std::vector<uint16_t>(size_t{slots} * padded_cols(units), 0));
    expand.out_stride = padded_cols(units);
    expand.swiglu_limit = kLimit;
    expand.tiles = planned.tiles;
    expand.num_tiles = planned.num_tiles;
    expand.max_tiles = max_expert_tiles(slots, experts, tile_rows);
    expand.tile_rows = tile_rows;
    expand.expert_bytes = expand_shape.bytes();
    expand.x_of_row = planned.token_of_place;
    product(expand, stream_.get());
    ProductArgs contract = expand;
    contract.shape = contract_shape;
    contract.strips = contract_strips;
    contract.x = expand.out_half;
    contract.x_stride = padded_cols(units);
    contract.finish = Finish::kStore;
    contract.out = make<float>(size_t{slots} * width);
    contract.out_stride = width;
    contract.expert_bytes = contract_shape.bytes();
    contract.x_of_row = nullptr;
    product(contract, stream_.get());
    const auto before = random_floats(x.size(), rng);
    float* const residual = upload(before);
    combine_experts({contract.out, planned.place_of_slot, upload(weights), tokens, kActive, width, residual},
                    stream_.get());
    const auto got = download(residual, x.size());

    std::vector<float> want = before;
    const auto experts_rows = [&](const std::vector<RandomMatrix>& all, std::vector<std::byte>& joined) {
      const size_t bytes = all[0].data.size();
      for (const RandomMatrix& one : all) joined.insert(joined.end(), one.data.begin(), one.data.end());
      ExpertRows rows{all[0].rows, experts, bytes, 0};
      rows.first.data = joined.data();
      return rows;
    };
    std::vector<std::byte> gate_bytes, up_bytes, down_bytes;
    ref.experts({x_rounded.data(), tokens, experts_rows(gates, gate_bytes), experts_rows(ups, up_bytes),
                 experts_rows(downs, down_bytes), gate_bias.data(), up_bias.data(), down_bias.data(), kActive,
                 indices.data(), weights.data(), kLimit, want.data()});
    // Inner values are rounded to half precision, at most 56 of them large: 2^-11 of each, times its weight of down.
    for (uint32_t t = 0; t < tokens; ++t) {
      double largest = 0;
      for (uint32_t d = 0; d < width; ++d)
        largest = std::max<double>(largest, std::fabs(want[t * width + d] - before[t * width + d]));
      for (uint32_t d = 0; d < width; ++d)
        ASSERT_NEAR(got[t * width + d], want[t * width + d], 4e-3 * largest + 1e-5) << "token " << t;
    }
  }
}

}  // namespace
}  // namespace gossamer::testing
