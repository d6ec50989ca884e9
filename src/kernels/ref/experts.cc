#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {

float ref::swiglu(float gate, float up, float limit) {
  const double g = std::min(gate, limit);
  const double u = std::clamp(up, -limit, limit);
  return static_cast<float>((u + 1.0) * g / (1.0 + std::exp(-static_cast<double>(kSwigluAlpha) * g)));
}

void RefBackend::router(const RouterArgs& args) {
  count(Op::kRouter, true);
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    const float* logits = args.logits + static_cast<size_t>(t) * args.experts;
    uint32_t* indices = args.indices + static_cast<size_t>(t) * args.active;
    float* weights = args.weights + static_cast<size_t>(t) * args.active;
    for (uint32_t a = 0; a < args.active; ++a) {
      uint32_t best = args.experts;
      for (uint32_t e = 0; e < args.experts; ++e) {
        const bool taken = std::find(indices, indices + a, e) != indices + a;
        if (!taken && (best == args.experts || logits[e] > logits[best])) best = e;
      }
      indices[a] = best;
    }
    double sum = 0;
    for (uint32_t a = 0; a < args.active; ++a)
      sum += std::exp(static_cast<double>(logits[indices[a]]) - logits[indices[0]]);
    for (uint32_t a = 0; a < args.active; ++a)
      weights[a] = static_cast<float>(std::exp(static_cast<double>(logits[indices[a]]) - logits[indices[0]]) / sum);
  }
}

void RefBackend::experts(const ExpertsArgs& args) {
  count(Op::kExperts, true);
  const uint32_t width = args.gate.first.rows;   // F
  const uint32_t hidden = args.down.first.rows;  // D
  std::vector<float> inner(width), row(std::max(width, hidden));
  std::vector<double> mixed(hidden);
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    const float* x = args.x + static_cast<size_t>(t) * hidden;
    std::fill(mixed.begin(), mixed.end(), 0.0);
    for (uint32_t a = 0; a < args.active; ++a) {
      const uint32_t e = args.indices[t * args.active + a];
      const WeightRows gate = args.gate.expert(e), up = args.up.expert(e), down = args.down.expert(e);
      for (uint32_t f = 0; f < width; ++f) {
        const size_t bias = static_cast<size_t>(e) * width + f;
        const double g = ref::dot_row(gate, f, x, row.data()) + args.gate_bias[bias];
        const double u = ref::dot_row(up, f, x, row.data()) + args.up_bias[bias];
        inner[f] = ref::swiglu(static_cast<float>(g), static_cast<float>(u), args.limit);
      }
      for (uint32_t d = 0; d < hidden; ++d) {
        const double y =
            ref::dot_row(down, d, inner.data(), row.data()) + args.down_bias[static_cast<size_t>(e) * hidden + d];
        mixed[d] += static_cast<double>(args.weights[t * args.active + a]) * y;
      }
    }
    float* out = args.out + static_cast<size_t>(t) * hidden;
    for (uint32_t d = 0; d < hidden; ++d) out[d] = static_cast<float>(out[d] + mixed[d]);
  }
}

}  // namespace gossamer::kernels
