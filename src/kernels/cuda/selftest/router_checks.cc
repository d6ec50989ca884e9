/// The router: logits and normed rows against double; the choice of experts exactly, by the logits there are.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/cuda/strips.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kActive = 4;

struct RouterCase {
  uint32_t width, experts, tokens;
};
RouteOp route_args(Check& check, const RouterCase& of, std::span<const float> x, std::span<const float> norm,
                   std::span<const float> router, std::span<const float> bias) {
  RouteOp args{};
  args.x = check.upload(x);
  args.norm_weight = check.upload(norm);
  args.eps = 1e-5f;
  args.num_tokens = of.tokens;
  args.width = of.width;
  args.padded = padded_cols(of.width);
  args.router = check.upload(router);
  args.bias = check.upload(bias);
  args.experts = of.experts;
  args.active = kActive;
  args.normed = check.make<uint16_t>(size_t{of.tokens} * args.padded);
  args.logits = check.make<float>(size_t{of.tokens} * of.experts);
  args.indices = check.make<uint32_t>(of.tokens * kActive);
  args.weights = check.make<float>(of.tokens * kActive);
  args.counts = check.upload(std::vector<uint32_t>(of.experts, 0));
  return args;
}

/// The choice is judged by the logits that the device computed: which are the best of them is exact.
void compare_choice(Check& check, const RouteOp& args) {
  const uint32_t experts = args.experts;
  const auto logits = check.download(args.logits, size_t{args.num_tokens} * experts);
  const auto indices = check.download(args.indices, args.num_tokens * kActive);
  const auto weights = check.download(args.weights, args.num_tokens * kActive);
  std::vector<uint32_t> counts(experts, 0), order(experts);
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    const float* row = &logits[size_t{t} * experts];
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return row[a] > row[b]; });
    double sum = 0;
    for (uint32_t c = 0; c < kActive; ++c) sum += std::exp(static_cast<double>(row[order[c]]) - row[order[0]]);
    for (uint32_t c = 0; c < kActive; ++c) {
      ++counts[order[c]];
      check.expect(indices[t * kActive + c] == order[c], [&] {
        return fmt::format("choice {} of token {} is expert {} where {} is right", c, t, indices[t * kActive + c],
                           order[c]);
      });
      // Difference and its product with log2 e are rounded, in the exponent; the exponential; the sum; the division.
      const double exponent = std::fabs(static_cast<double>(row[order[c]]) - row[order[0]]);
      const double want = std::exp(-exponent) / sum;
      const double spread = std::fabs(static_cast<double>(row[order[kActive - 1]]) - row[order[0]]);
      const double allowed = want * ((exponent + spread) * 3 * kF32Rounding + 2 * kExp2Error + 6 * kF32Rounding);
      check.near(weights[t * kActive + c], want, allowed + 0x1p-140,
                 [&] { return fmt::format("weight {} of token {}", c, t); });
    }
  }
  check.same_bits(std::span<const uint32_t>(check.download(args.counts, experts)), std::span<const uint32_t>(counts),
                  [&](size_t expert) { return fmt::format("how many chose expert {}", expert); });
}

void router(Check& check) {
  std::vector<RouterCase> cases = {{96, 4, 3}, {704, 32, 9}};
  if (!check.quick()) cases.insert(cases.end(), {{2880, 32, 100}, {2880, 128, 33}});
  for (const RouterCase& of : cases) {
    const auto x = random_floats(size_t{of.tokens} * of.width, check.rng(), 3);
    const auto norm = random_floats(of.width, check.rng()), bias = random_floats(of.experts, check.rng(), 0.1f);
    const auto weights = random_floats(size_t{of.experts} * of.width, check.rng(), 0.05f);
    const RouteOp args = route_args(check, of, x, norm, weights, bias);
    route(args, check.stream());
    const auto logits = check.download(args.logits, size_t{of.tokens} * of.experts);
    const auto normed = check.download(args.normed, size_t{of.tokens} * args.padded);
    for (uint32_t t = 0; t < of.tokens; ++t) {
      const float* row = &x[size_t{t} * of.width];
      double squares = 0;
      for (uint32_t i = 0; i < of.width; ++i) squares += static_cast<double>(row[i]) * row[i];
      const double scale = 1 / std::sqrt(squares / of.width + static_cast<double>(args.eps));
      for (uint32_t e = 0; e < of.experts; ++e) {
        double want = bias[e], magnitude = std::fabs(want);
        for (uint32_t i = 0; i < of.width; ++i) {
          const double term = row[i] * scale * norm[i] * weights[size_t{e} * of.width + i];
          want += term;
          magnitude += std::fabs(term);
        }
        // Two products a number, a chain of width / 32 in a lane, a tree over 32 lanes, the bias.
        const double allowed =
            magnitude * (norm_scale_error(of.width) + (2 + of.width / 32. + 1 + 5 + 1) * kF32Rounding);
        check.near(logits[t * of.experts + e], want, allowed,
                   [&] { return fmt::format("logit of expert {} of {} for token {}", e, of.experts, t); });
      }
      for (uint32_t i = 0; i < args.padded; ++i) {
        const double want = i < of.width ? row[i] * scale * norm[i] : 0;
        const double allowed = std::fabs(want) * (kF16Rounding + 1.01 * norm_scale_error(of.width) + 3 * kF32Rounding) +
                               (want == 0 ? 0 : kF16Least);
        check.near(f16_to_f32(normed[size_t{t} * args.padded + i]), want, allowed,
                   [&] { return fmt::format("normed number {} of token {}", i, t); });
      }
    }
    compare_choice(check, args);
  }
}

/// A router of zeros: the biases are the logits, and many of them are equal.
void router_ties(Check& check) {
  for (const uint32_t experts : {32u, 128u}) {
    constexpr uint32_t kWidth = 32, kTokens = 11;
    std::vector<float> bias(experts, 0.f);
    bias[experts / 2 + 13] = bias[5] = 2.f;
    bias[experts - 1] = 1.f;
    const std::vector<float> ones(kTokens * kWidth, 1.f), zeros(experts * kWidth, 0.f);
    const RouteOp args =
        route_args(check, {kWidth, experts, kTokens}, ones, std::span(ones).first(kWidth), zeros, bias);
    route(args, check.stream());
    const auto indices = check.download(args.indices, kTokens * kActive);
    const uint32_t want[kActive] = {5, experts / 2 + 13, experts - 1, 0};
    for (uint32_t i = 0; i < kTokens * kActive; ++i)
      check.expect(indices[i] == want[i % kActive], [&] {
        return fmt::format("among equals expert {} is chosen instead of {}", indices[i], want[i % kActive]);
      });
    compare_choice(check, args);
  }
}

}  // namespace

std::vector<NamedCheck> router_checks() {
  return {{"router", router}, {"router, the lower among equals", router_ties}};
}

}  // namespace gossamer::kernels::cuda
