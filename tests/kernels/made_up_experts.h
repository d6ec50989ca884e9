#pragma once
/// A made-up layer of experts, and how far a backend may be from the plain loops of kernels/ref in it: for tests and
/// for the fuzzer that compares instruction sets.

#include <span>

#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer::testing {

/// Which experts the tokens go to.
enum class Routing { kRandom, kAllToOne, kLastExpertEmpty };

inline constexpr Format kMxfp4Split{Dtype::kMxfp4, Mxfp4Layout::kSplit}, kMxfp4Ggml{Dtype::kMxfp4, Mxfp4Layout::kGgml};

struct ExpertsCase {
  uint32_t hidden, width, experts, active, tokens;
  Routing routing;
  Format gate = kMxfp4Split, up = gate, down = gate;
};

/// A whole experts layer with random weights; gate and up interleaved, as in the published files, where they are stored
/// alike.
struct ExpertsLayer {
  RandomMatrix gate, up, down;  // interleaved ones are both in `gate`
  std::vector<float> gate_bias, up_bias, down_bias, x, weights, residual;
  std::vector<uint32_t> indices;
  ExpertsArgs args{};

  ExpertsLayer(const ExpertsCase& c, std::mt19937& rng, float size_of_x = 1.f)
      : gate(c.gate.dtype, c.gate.layout, c.experts * (interleaved(c) ? 2 : 1) * c.width, c.hidden, rng),
        up(c.up.dtype, c.up.layout, interleaved(c) ? 0 : c.experts * c.width, c.hidden, rng),
        down(c.down.dtype, c.down.layout, c.experts * c.hidden, c.width, rng) {
    gate_bias = random_floats(c.experts * c.width, rng);
    up_bias = random_floats(c.experts * c.width, rng);
    down_bias = random_floats(c.experts * c.hidden, rng);
    x = random_floats(static_cast<size_t>(c.tokens) * c.hidden, rng, size_of_x);
    residual = random_floats(x.size(), rng);
    for (uint32_t t = 0; t < c.tokens; ++t) {
      std::vector<uint32_t> order(c.routing == Routing::kLastExpertEmpty ? c.experts - 1 : c.experts);
      for (uint32_t e = 0; e < order.size(); ++e) order[e] = e;
      if (c.routing != Routing::kAllToOne) std::shuffle(order.begin(), order.end(), rng);
      for (uint32_t a = 0; a < c.active; ++a) {
        indices.push_back(order[a]);
        weights.push_back(1.f / static_cast<float>(a + 2));
      }
    }
    const auto rows = [&](const RandomMatrix& m, uint32_t first, uint32_t step, uint32_t per_expert, uint32_t n) {
      ExpertRows r{m.rows, c.experts, m.rows.row_stride_bytes * per_expert, m.rows.scale_stride_bytes * per_expert};
      r.first.rows = n;
      r.first.data += first * m.rows.row_stride_bytes;
      if (r.first.scales) r.first.scales += first * m.rows.scale_stride_bytes;
      r.first.row_stride_bytes *= step;
      r.first.scale_stride_bytes *= step;
      return r;
    };
    args = {x.data(),
            c.tokens,
            interleaved(c) ? rows(gate, 0, 2, 2 * c.width, c.width) : rows(gate, 0, 1, c.width, c.width),
            interleaved(c) ? rows(gate, 1, 2, 2 * c.width, c.width) : rows(up, 0, 1, c.width, c.width),
            rows(down, 0, 1, c.hidden, c.hidden),
            gate_bias.data(),
            up_bias.data(),
            down_bias.data(),
            c.active,
            indices.data(),
            weights.data(),
            7.f,
            nullptr};
  }
  // args points into it.
  ExpertsLayer(const ExpertsLayer&) = delete;
  ExpertsLayer& operator=(const ExpertsLayer&) = delete;

  /// What the layer makes of num_tokens tokens from first_token on: [num_tokens, D].
  std::vector<float> run(Backend& backend, uint32_t first_token, uint32_t num_tokens) const {
    return run(backend, args, first_token, num_tokens);
  }
  /// The same with other rows, such as packed ones.
  std::vector<float> run(Backend& backend, ExpertsArgs part, uint32_t first_token, uint32_t num_tokens) const {
    const uint32_t hidden = part.down.first.rows;
    std::vector<float> out(residual.begin() + first_token * hidden,
                           residual.begin() + (first_token + num_tokens) * hidden);
    part.x += first_token * hidden;
    part.indices += first_token * part.active;
    part.weights += first_token * part.active;
    part.num_tokens = num_tokens;
    part.out = out.data();
    backend.experts(part);
    return out;
  }

 private:
  static bool interleaved(const ExpertsCase& c) { return c.gate.dtype == c.up.dtype && c.gate.layout == c.up.layout; }
};

/// Copies of a layer's matrices in the backend's own order, as a loaded model has them: gate and up alike or none.
struct PackedExperts {
  std::vector<std::byte> gate, up, down;
  ExpertsArgs args;

  PackedExperts(Backend& backend, const ExpertsLayer& layer) : args(layer.args) {
    if (!stored_alike(args.gate, args.up)) return;
    pack(backend, args.gate, gate);
    pack(backend, args.up, up);
    pack(backend, args.down, down);
  }

 private:
  static void pack(Backend& backend, ExpertRows& rows, std::vector<std::byte>& memory) {
    const uint64_t bytes = backend.packed_bytes(rows.first);
    if (bytes == 0) return;
    memory.resize(rows.experts * bytes + 64);
    std::byte* copy = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
    for (uint32_t e = 0; e < rows.experts; ++e) backend.pack(rows.expert(e), copy + e * bytes);
    rows = {backend.packed_rows(rows.first, copy), rows.experts, bytes, 0};
  }
};

/// Worst cases of 2,880 terms, added up twice, allow more than the outputs themselves. But errors meet weights whose
/// signs are random and know nothing of them, so the sum of numbers e_i with |e_i| <= b_i goes beyond kDeviations times
/// the root of sum b_i^2 once in 3e7 (Hoeffding: 2 e^-18), and far more rarely where they are not all as large as they
/// can be. "Variance" is that sum of b_i^2.
inline constexpr double kDeviations = 6;

/// A row in blocks of 32: the root of the sum of squares, and the largest.
struct BlockSizes {
  std::vector<double> norm, largest;

  explicit BlockSizes(std::span<const float> x) {
    for (size_t begin = 0; begin < x.size(); begin += 32) {
      double squares = 0, most = 0;
      for (const float value : x.subspan(begin, std::min<size_t>(32, x.size() - begin))) {
        squares += static_cast<double>(value) * value;
        most = std::max(most, std::fabs(static_cast<double>(value)));
      }
      norm.push_back(std::sqrt(squares));
      largest.push_back(most);
    }
  }
};

/// At least the sum of |w_i x_i| (Cauchy).
inline double magnitude_of(const BlockSizes& w, const BlockSizes& x) {
  double sum = 0;
  for (size_t block = 0; block < w.norm.size(); ++block) sum += w.norm[block] * x.norm[block];
  return sum;
}

/// Variance of a product whose inputs are rounded by up to `rounding` of the largest of their block, and of its sum, in
/// which as many roundings follow one another as in sum_tolerance().
inline double product_variance(const BlockSizes& w, const BlockSizes& x, size_t cols, double bias, double rounding) {
  double rounded = 0;
  for (size_t block = 0; block < w.norm.size(); ++block)
    rounded += std::pow(w.norm[block] * x.largest[block] * rounding, 2);
  const double chain = static_cast<double>(cols) / 8 + 10;
  return rounded + chain * std::pow(0x1p-24 * (magnitude_of(w, x) + std::fabs(bias)) + 1e-30, 2);
}

/// What is between gate and up and the product with down, of one token in one expert.
struct InnerRow {
  std::vector<float> value;
  std::vector<double> variance;

  /// Adds swiglu(gate, up), whose variances are given. |swish'| < 1.1, and what clamps makes no difference larger.
  void add(double gate, double gate_variance, double up, double up_variance, float limit) {
    const double g = std::min<double>(gate, limit), u = std::clamp<double>(up, -limit, limit);
    const double swish = g / (1 + std::exp(-static_cast<double>(kSwigluAlpha) * g));
    const double of_gate = 1.1 * std::sqrt(gate_variance), of_up = std::sqrt(up_variance);
    const double own = (8 + kSwigluAlpha * std::fabs(g)) * 0x1p-24 * std::fabs((u + 1) * swish) + 1e-30;
    value.push_back(static_cast<float>((u + 1) * swish));
    variance.push_back(std::pow((u + 1) * of_gate, 2) +
                       std::pow(of_up * (std::fabs(swish) + kDeviations * of_gate), 2) + own * own);
  }
};

/// How far each output of `tokens` of the layer, all of which were computed together, may be from what kernels/ref
/// gives: [tokens, D].
inline std::vector<double> experts_tolerance(const ExpertsLayer& layer, std::span<const uint32_t> tokens,
                                             const Backend& backend, Precision precision) {
  const ExpertsArgs& args = layer.args;
  const uint32_t width = args.gate.first.rows, hidden = args.down.first.rows;
  const bool expands_rounded = stored_alike(args.gate, args.up) && of_8_bits(args.gate.first.dtype);
  const bool contracts_rounded = of_8_bits(args.down.first.dtype) || in_tiles(backend, args.down.first.dtype);
  std::vector<BlockSizes> inputs;
  for (const uint32_t t : tokens) inputs.emplace_back(std::span(args.x + size_t{t} * hidden, hidden));
  std::vector<double> variance(tokens.size() * hidden), magnitude(variance.size());
  std::vector<float> row(std::max(width, hidden)), up_row(hidden);
  for (uint32_t e = 0; e < args.gate.experts; ++e) {
    struct Slot {
      size_t token;  // in `tokens`
      double weight;
      InnerRow inner;
    };
    std::vector<Slot> slots;
    for (size_t i = 0; i < tokens.size(); ++i)
      for (uint32_t a = 0; a < args.active; ++a)
        if (const size_t slot = size_t{tokens[i]} * args.active + a; args.indices[slot] == e)
          slots.push_back({i, args.weights[slot], {}});
    if (slots.empty()) continue;
    // One or two tokens are rounded to 15 bits at any precision. Tiles keep eight bits of Q8_0's weights too.
    const bool few = std::count(layer.indices.begin(), layer.indices.end(), e) <= 2;
    const auto rounding_with = [&](const ExpertRows& rows) {
      const bool weights_too = backend.name() == "amx" && rows.first.dtype == Dtype::kQ8_0;
      return largest_rounding(few && precision == Precision::kDefault ? Precision::kExact : precision) * (1 + 1e-3) *
             (weights_too ? std::sqrt(2.) : 1);
    };

    const double expanding = expands_rounded ? rounding_with(args.gate) : 0;
    for (uint32_t f = 0; f < width; ++f) {
      read_row(args.gate.expert(e), f, row.data());
      read_row(args.up.expert(e), f, up_row.data());
      const BlockSizes gate_sizes({row.data(), hidden}), up_sizes(up_row);
      const double gate_bias = args.gate_bias[size_t{e} * width + f], up_bias = args.up_bias[size_t{e} * width + f];
      for (Slot& slot : slots) {
        const float* x = args.x + size_t{tokens[slot.token]} * hidden;
        double gate = gate_bias, up = up_bias;
        for (uint32_t k = 0; k < hidden; ++k) {
          gate += static_cast<double>(row[k]) * x[k];
          up += static_cast<double>(up_row[k]) * x[k];
        }
        const BlockSizes& sizes = inputs[slot.token];
        slot.inner.add(gate, product_variance(gate_sizes, sizes, hidden, gate_bias, expanding), up,
                       product_variance(up_sizes, sizes, hidden, up_bias, expanding), args.limit);
      }
    }

    std::vector<BlockSizes> inner_sizes;
    for (const Slot& slot : slots) {
      BlockSizes& sizes = inner_sizes.emplace_back(slot.inner.value);
      for (uint32_t f = 0; f < width; ++f)  // rounded is what comes, not what should have come
        sizes.largest[f / 32] = std::max(sizes.largest[f / 32], std::fabs(double{slot.inner.value[f]}) +
                                                                    kDeviations * std::sqrt(slot.inner.variance[f]));
    }
    const double contracting = contracts_rounded ? rounding_with(args.down) : 0;
    for (uint32_t d = 0; d < hidden; ++d) {
      read_row(args.down.expert(e), d, row.data());
      const BlockSizes down_sizes({row.data(), width});
      const double bias = args.down_bias[size_t{e} * hidden + d];
      for (size_t s = 0; s < slots.size(); ++s) {
        const Slot& slot = slots[s];
        double sum = product_variance(down_sizes, inner_sizes[s], width, bias, contracting);
        for (uint32_t f = 0; f < width; ++f) sum += static_cast<double>(row[f]) * row[f] * slot.inner.variance[f];
        variance[slot.token * hidden + d] += slot.weight * slot.weight * sum;
        magnitude[slot.token * hidden + d] +=
            std::fabs(slot.weight) * (magnitude_of(down_sizes, inner_sizes[s]) + std::fabs(bias));
      }
    }
  }
  std::vector<double> tolerance(variance.size());
  for (size_t i = 0; i < tolerance.size(); ++i) {
    const double before = layer.residual[size_t{tokens[i / hidden]} * hidden + i % hidden];
    tolerance[i] =
        kDeviations * std::sqrt(variance[i]) + (args.active + 2) * 0x1p-24 * (magnitude[i] + std::fabs(before));
  }
  return tolerance;
}

}  // namespace gossamer::testing
