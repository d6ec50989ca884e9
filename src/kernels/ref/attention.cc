#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {

void RefBackend::attention(const AttentionArgs& args) {
  count(Op::kAttention, true);
  const uint32_t group = args.num_heads / args.num_kv_heads;
  const size_t kv_stride = static_cast<size_t>(args.num_kv_heads) * args.head_dim;
  std::vector<double> weight, mixed(args.head_dim);
  for (size_t t = 0; t < args.rows.size(); ++t) {
    const AttentionRow& row = args.rows[t];
    const uint32_t first = args.window && row.num_positions > args.window ? row.num_positions - args.window : 0;
    for (uint32_t h = 0; h < args.num_heads; ++h) {
      const float* q = args.q + t * args.q_stride + static_cast<size_t>(h) * args.head_dim;
      const size_t kv_head = static_cast<size_t>(h / group) * args.head_dim;
      // Scores, with the largest one (the sink takes part).
      double largest = args.sinks[h];
      weight.assign(row.num_positions - first, 0);
      for (uint32_t p = first; p < row.num_positions; ++p) {
        const float* k = row.k + p * kv_stride + kv_head;
        double score = 0;
        for (uint32_t i = 0; i < args.head_dim; ++i) score += static_cast<double>(q[i]) * k[i];
        weight[p - first] = score * args.scale;
        largest = std::max(largest, weight[p - first]);
      }
      // Softmax; the sink's column is only in the sum.
      double sum = std::exp(args.sinks[h] - largest);
      for (double& w : weight) sum += w = std::exp(w - largest);
      // Mix of the values.
      std::fill(mixed.begin(), mixed.end(), 0.0);
      for (uint32_t p = first; p < row.num_positions; ++p) {
        const float* v = row.v + p * kv_stride + kv_head;
        for (uint32_t i = 0; i < args.head_dim; ++i) mixed[i] += weight[p - first] * v[i];
      }
      float* out = args.out + (t * args.num_heads + h) * args.head_dim;
      for (uint32_t i = 0; i < args.head_dim; ++i) out[i] = static_cast<float>(mixed[i] / sum);
    }
  }
}

}  // namespace gossamer::kernels
