/// Plan, experts and their sum: each stage against double, from what the stage before it left on the device.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/product_data.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/random_matrix.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kActive = 4;

/// `active` different experts for every token, of the first `among`.
std::vector<uint32_t> random_choices(uint32_t tokens, uint32_t among, std::mt19937& rng) {
  std::vector<uint32_t> indices, experts(among);
  std::iota(experts.begin(), experts.end(), 0u);
  for (uint32_t t = 0; t < tokens; ++t) {
    std::shuffle(experts.begin(), experts.end(), rng);
    indices.insert(indices.end(), experts.begin(), experts.begin() + kActive);
  }
  return indices;
}

/// Plans with counts as route() leaves them; everything stays on the device.
PlanOp plan_on_device(Check& check, const std::vector<uint32_t>& indices, uint32_t experts, uint32_t tile_rows) {
  std::vector<uint32_t> counts(experts, 0);
  for (const uint32_t expert : indices) ++counts[expert];
  PlanOp args{};
  args.indices = check.upload(indices);
  args.num_slots = static_cast<uint32_t>(indices.size());
  args.experts = experts;
  args.active = kActive;
  args.tile_rows = tile_rows;
  args.counts = check.upload(counts);
  args.begins = check.make<uint32_t>(experts);
  args.tiles = check.make<ExpertTile>(max_expert_tiles(args.num_slots, experts, tile_rows));
  args.num_tiles = check.make<uint32_t>(1);
  args.token_of_place = check.make<uint32_t>(args.num_slots);
  args.place_of_slot = check.make<uint32_t>(args.num_slots);
  plan_experts(args, check.stream());
  return args;
}

void compare_plan(Check& check, const std::vector<uint32_t>& indices, const PlanOp& args) {
  const auto slots = static_cast<uint32_t>(indices.size());
  const uint32_t num_tiles = check.download(args.num_tiles, 1)[0];
  const uint32_t most = max_expert_tiles(slots, args.experts, args.tile_rows);
  const std::string words = fmt::format(" ({} slots, {} experts, tiles of {})", slots, args.experts, args.tile_rows);
  check.expect(num_tiles <= most,
               [&] { return fmt::format("{} tiles where {} are the most{}", num_tiles, most, words); });
  if (num_tiles > most) return;
  const auto tiles = check.download(args.tiles, num_tiles);
  const auto places = check.download(args.place_of_slot, slots), tokens = check.download(args.token_of_place, slots);
  const auto counts = check.download(args.counts, args.experts);
  check.expect(std::ranges::count(counts, 0u) == args.experts, [&] { return "counts are not zero again" + words; });
  // The right order is that of a stable sort by expert.
  std::vector<uint32_t> order(slots);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return indices[a] < indices[b]; });
  for (uint32_t place = 0; place < slots; ++place)
    check.expect(places[order[place]] == place && tokens[place] == order[place] / kActive, [&] {
      return fmt::format("slot {} stands at place {}, {} is right; the token there is {}, {} is right{}", order[place],
                         places[order[place]], place, tokens[place], order[place] / kActive, words);
    });
  uint32_t place = 0;
  for (const ExpertTile& tile : tiles) {
    bool fits =
        tile.begin == place && tile.end > tile.begin && tile.end <= slots && tile.end - tile.begin <= args.tile_rows;
    for (; fits && place < tile.end; ++place) fits = indices[order[place]] == tile.expert;
    check.expect(fits, [&] {
      return fmt::format("a tile has places {} to {} of expert {}{}", tile.begin, tile.end, tile.expert, words);
    });
    if (!fits) return;
  }
  check.expect(place == slots, [&] { return fmt::format("tiles end at place {}{}", place, words); });
}

/// Experts chosen alike, by few, and nearly all the same.
void plan(Check& check) {
  for (const uint32_t experts : {4u, 32u, 128u})
    for (const uint32_t tokens : {1u, 2u, 9u, 100u, 300u})
      for (const uint32_t tile_rows : {8u, 64u}) {
        const uint32_t skew = check.rng()() % 3;
        const auto indices =
            random_choices(tokens, skew == 0 ? experts : std::min(experts, kActive + skew), check.rng());
        compare_plan(check, indices, plan_on_device(check, indices, experts, tile_rows));
      }
}

struct ExpertsCase {
  uint32_t width, units, experts, tokens;
};

/// The experts of a layer in MXFP4, on the host and on the device.
struct Layer {
  static constexpr float kLimit = 7.f;
  std::vector<RandomMatrix> gates, ups, downs;
  std::vector<float> gate_bias, up_bias, down_bias;
  Strips expand, contract;

  Layer(Check& check, const ExpertsCase& of) {
    const auto matrices = [&](uint32_t n, uint32_t k) {
      std::vector<RandomMatrix> all;
      for (uint32_t e = 0; e < of.experts; ++e) all.emplace_back(Dtype::kMxfp4, Mxfp4Layout::kGgml, n, k, check.rng());
      return all;
    };
    gates = matrices(of.units, of.width);
    ups = matrices(of.units, of.width);
    downs = matrices(of.width, of.units);
    gate_bias = random_floats(size_t{of.experts} * of.units, check.rng());
    up_bias = random_floats(size_t{of.experts} * of.units, check.rng());
    down_bias = random_floats(size_t{of.experts} * of.width, check.rng());
    std::vector<std::vector<StripRow>> expand_rows, contract_rows;
    for (uint32_t e = 0; e < of.experts; ++e) {
      expand_rows.push_back(rows_side_by_side({&gates[e].rows, &gate_bias[size_t{e} * of.units]},
                                              {&ups[e].rows, &up_bias[size_t{e} * of.units]}));
      const BiasedRows down{&downs[e].rows, &down_bias[size_t{e} * of.width]};
      contract_rows.push_back(rows_below_each_other({&down, 1}));
    }
    expand = upload_strips(check, expand_rows);
    contract = upload_strips(check, contract_rows);
  }
};

/// What the kernels left of a batch, place after place.
struct Computed {
  std::vector<uint32_t> place_of_slot;
  std::vector<uint16_t> inner;    // [slots, padded F]
  std::vector<float> contracted;  // [slots, D]
  std::vector<float> residual;    // [T, D]
};
Computed compute(Check& check, const ExpertsCase& of, const Layer& layer, const Rounded& x,
                 const std::vector<uint32_t>& indices, std::span<const float> weights, std::span<const float> before,
                 uint32_t tile_rows) {
  const PlanOp planned = plan_on_device(check, indices, of.experts, tile_rows);
  const uint32_t slots = planned.num_slots, inner_width = padded_cols(of.units);
  ProductArgs expand{};
  expand.shape = layer.expand.shape;
  expand.strips = layer.expand.memory;
  expand.x = check.upload(x.bits);
  expand.x_stride = x.stride;
  expand.num_rows = slots;
  expand.finish = Finish::kSwiglu;
  expand.out_half = check.upload(std::vector<uint16_t>(size_t{slots} * inner_width, 0));
  expand.out_stride = inner_width;
  expand.swiglu_limit = Layer::kLimit;
  expand.tiles = planned.tiles;
  expand.num_tiles = planned.num_tiles;
  expand.max_tiles = max_expert_tiles(slots, of.experts, tile_rows);
  expand.tile_rows = tile_rows;
  expand.expert_bytes = layer.expand.shape.bytes();
  expand.x_of_row = planned.token_of_place;
  product(expand, check.stream());
  ProductArgs contract = expand;
  contract.shape = layer.contract.shape;
  contract.strips = layer.contract.memory;
  contract.x = expand.out_half;
  contract.x_stride = inner_width;
  contract.finish = Finish::kStore;
  contract.out = check.make<float>(size_t{slots} * of.width);
  contract.out_stride = of.width;
  contract.expert_bytes = layer.contract.shape.bytes();
  contract.x_of_row = nullptr;
  product(contract, check.stream());
  CombineOp combine{};
  combine.contracted = contract.out;
  combine.place_of_slot = planned.place_of_slot;
  combine.weights = check.upload(weights);
  combine.num_tokens = static_cast<uint32_t>(before.size() / of.width);
  combine.active = kActive;
  combine.width = of.width;
  combine.residual = check.upload(before);
  combine_experts(combine, check.stream());
  return {check.download(planned.place_of_slot, slots), check.download(expand.out_half, size_t{slots} * inner_width),
          check.download(contract.out, size_t{slots} * of.width), check.download(combine.residual, before.size())};
}

/// What gate and up give, and how far it may be when each of them may be off by so much.
struct Unit {
  double value, allowed;
};
Unit swiglu_of(double gate, double up, double gate_error, double up_error) {
  constexpr double limit = Layer::kLimit;
  gate = std::min(gate, limit);
  up = std::clamp(up, -limit, limit);
  const double silu = gate / (1 + std::exp(-1.702 * gate)), value = (up + 1) * silu;
  // The slope of gate * sigmoid(1.702 gate) is nowhere above 1.1 and it is never below -0.17 nor above its gate. Of the
  // rest: two products in the exponent, the exponential, one more, the division, and two for up.
  const double relative = std::fabs(1.702 * gate) * 3 * kF32Rounding + kExp2Error + kDivideError + 4 * kF32Rounding;
  const double of_sums = 1.1 * gate_error * (std::fabs(up + 1) + up_error) + std::fabs(silu) * up_error;
  return {value,
          (of_sums + std::fabs(value) * relative) * (1 + kF16Rounding) + std::fabs(value) * kF16Rounding + kF16Least};
}

void compare_experts(Check& check, const ExpertsCase& of, const Layer& layer, const Rounded& x,
                     const std::vector<uint32_t>& indices, std::span<const float> weights,
                     std::span<const float> before, const Computed& got) {
  const Rounded inner(got.inner, of.units, false);
  const uint32_t tokens = of.tokens;
  for (uint32_t t = 0; t < tokens; t += tokens > 9 ? 7 : 1) {
    std::vector<double> sum(before.begin() + t * of.width, before.begin() + (t + 1) * of.width), magnitude(of.width);
    for (uint32_t i = 0; i < of.width; ++i) magnitude[i] = std::fabs(sum[i]);
    for (uint32_t c = 0; c < kActive; ++c) {
      const uint32_t slot = t * kActive + c, e = indices[slot], place = got.place_of_slot[slot];
      const auto gate = dots_of(check.threads(), layer.gates[e].rows, x, {&t, 1});
      const auto up = dots_of(check.threads(), layer.ups[e].rows, x, {&t, 1});
      const auto down = dots_of(check.threads(), layer.downs[e].rows, inner, {&place, 1});
      for (uint32_t f = 0; f < of.units; ++f) {
        const double gate_bias = layer.gate_bias[size_t{e} * of.units + f],
                     up_bias = layer.up_bias[size_t{e} * of.units + f];
        const Unit unit =
            swiglu_of(gate[f].sum + gate_bias, up[f].sum + up_bias,
                      product_error(StripFormat::kMxfp4, of.width, gate[f].magnitude + std::fabs(gate_bias)),
                      product_error(StripFormat::kMxfp4, of.width, up[f].magnitude + std::fabs(up_bias)));
        check.near(f16_to_f32(got.inner[size_t{place} * inner.stride + f]), unit.value, unit.allowed,
                   [&] { return fmt::format("unit {} of expert {} for token {} of {}", f, e, t, tokens); });
      }
      for (uint32_t i = 0; i < of.width; ++i) {
        const double bias = layer.down_bias[size_t{e} * of.width + i];
        const float contracted = got.contracted[size_t{place} * of.width + i];
        check.near(contracted, down[i].sum + bias,
                   product_error(StripFormat::kMxfp4, of.units, down[i].magnitude + std::fabs(bias)),
                   [&] { return fmt::format("row {} of expert {}'s down for token {} of {}", i, e, t, tokens); });
        sum[i] += static_cast<double>(weights[slot]) * contracted;
        magnitude[i] += std::fabs(static_cast<double>(weights[slot]) * contracted);
      }
    }
    for (uint32_t i = 0; i < of.width; ++i)
      check.near(got.residual[size_t{t} * of.width + i], sum[i], magnitude[i] * kActive * kF32Rounding,
                 [&] { return fmt::format("number {} of the sum of experts for token {} of {}", i, t, tokens); });
  }
}

std::vector<float> random_weights(uint32_t tokens, std::mt19937& rng) {
  std::vector<float> weights(size_t{tokens} * kActive);
  for (float& weight : weights) weight = static_cast<float>(rng() % 1000) / 2000;
  return weights;
}

void experts(Check& check) {
  std::vector<ExpertsCase> cases = {{64, 96, 8, 1}, {96, 160, 8, 5}, {64, 64, 4, 150}};
  if (!check.quick()) cases.insert(cases.end(), {{2880, 2880, 8, 1}, {2880, 2880, 8, 9}, {2880, 2880, 6, 120}});
  for (const ExpertsCase& of : cases) {
    const Layer layer(check, of);
    // Some sums reach the limits of gate and up.
    const Rounded x(random_floats(size_t{of.tokens} * of.width, check.rng(), of.width > 1000 ? 1 : 2), of.width, false);
    const auto indices = random_choices(of.tokens, of.experts, check.rng());
    const auto weights = random_weights(of.tokens, check.rng());
    const auto before = random_floats(size_t{of.tokens} * of.width, check.rng());
    compare_experts(check, of, layer, x, indices, weights, before,
                    compute(check, of, layer, x, indices, weights, before, of.tokens > 32 ? 64 : 8));
    check.free_memory();
  }
}

/// A token alone, where its experts meet a tile of 8 rows, and among others, where they meet 64.
void experts_in_any_company(Check& check) {
  const ExpertsCase of = check.quick() ? ExpertsCase{96, 96, 6, 100} : ExpertsCase{2880, 2880, 6, 100};
  const Layer layer(check, of);
  const auto values = random_floats(size_t{of.tokens} * of.width, check.rng());
  const auto indices = random_choices(of.tokens, of.experts, check.rng());
  const auto weights = random_weights(of.tokens, check.rng());
  const auto before = random_floats(size_t{of.tokens} * of.width, check.rng());
  const auto of_first = [&](uint32_t first, uint32_t size, uint32_t tile_rows) {
    const std::span<const float> some = std::span(values).subspan(size_t{first} * of.width, size_t{size} * of.width);
    const std::vector<uint32_t> chosen(indices.begin() + first * kActive, indices.begin() + (first + size) * kActive);
    return compute(check, of, layer, Rounded(some, of.width, false), chosen,
                   std::span(weights).subspan(first * kActive, size * kActive),
                   std::span(before).subspan(size_t{first} * of.width, size_t{size} * of.width), tile_rows)
        .residual;
  };
  const auto want = of_first(0, of.tokens, 64);
  for (const uint32_t size : {1u, 2u, 3u, 8u, 9u, 33u, 64u, 100u})
    for (const uint32_t tile_rows : {8u, 64u}) {
      if (check.quick() && size > 9 && tile_rows == 8) continue;
      const uint32_t first = of.tokens - size;
      const auto got = of_first(first, size, tile_rows);
      check.same_bits(std::span<const float>(got), std::span<const float>(want).subspan(size_t{first} * of.width),
                      [&](size_t i) {
                        return fmt::format("number {} of token {} among {} in tiles of {}", i % of.width,
                                           first + i / of.width, size, tile_rows);
                      });
    }
}

}  // namespace

std::vector<NamedCheck> expert_checks() {
  return {{"plan of experts", plan}, {"experts", experts}, {"experts in any company", experts_in_any_company}};
}

}  // namespace gossamer::kernels::cuda
