/// Plans and choices of experts on the device, case by case. What layers of experts add up to: kernels/cuda/selftest.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "kernels/device_test.h"

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
}  // namespace
}  // namespace gossamer::testing
