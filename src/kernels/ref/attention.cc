#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {
namespace {

/// One head of one token: softmax over the positions first .. last and the sink, in double.
void attend(const AttentionArgs& args, const CacheRow& row, const float* q, uint32_t head, uint32_t first,
            uint32_t last, float* out) {
  const uint32_t dim = args.kv.head_dim, kv_head = head / (args.num_heads / args.kv.kv_heads);
  std::vector<float> key(dim), value(dim);
  std::vector<double> weights, mixed(dim);
  // Scores, with the largest one (the sink takes part).
  double largest = args.sinks[head];
  for (uint32_t p = first; p <= last; ++p) {
    read_token(args.kv, row.blocks[p / kKvBlockTokens], p % kKvBlockTokens, kv_head, key.data(), value.data());
    double score = 0;
    for (uint32_t i = 0; i < dim; ++i) score += static_cast<double>(q[i]) * key[i];
    weights.push_back(score * args.scale);
    largest = std::max(largest, weights.back());
  }
  // Softmax; the sink's column is only in the sum.
  double sum = std::exp(args.sinks[head] - largest);
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  // Mix of the values.
  for (uint32_t p = first; p <= last; ++p) {
    read_token(args.kv, row.blocks[p / kKvBlockTokens], p % kKvBlockTokens, kv_head, key.data(), value.data());
    for (uint32_t i = 0; i < dim; ++i) mixed[i] += weights[p - first] * value[i];
  }
  for (uint32_t i = 0; i < dim; ++i) out[i] = static_cast<float>(mixed[i] / sum);
}

}  // namespace

void RefBackend::store_kv(const StoreKvArgs& args) {
  count(Op::kStoreKv, true);
  size_t token = 0;
  for (const CacheRow& row : args.rows)
    for (uint32_t p = row.start; p < row.start + row.length; ++p, ++token)
      write_token(args.kv, row.blocks[p / kKvBlockTokens], p % kKvBlockTokens, args.k + token * args.stride,
                  args.v + token * args.stride);
}

void RefBackend::attention(const AttentionArgs& args) {
  count(Op::kAttention, true);
  size_t token = 0;
  for (const CacheRow& row : args.rows)
    for (uint32_t p = row.start; p < row.start + row.length; ++p, ++token)
      for (uint32_t head = 0; head < args.num_heads; ++head) {
        const uint32_t first = args.window && p >= args.window ? p - args.window + 1 : 0;
        const size_t dim = args.kv.head_dim;
        attend(args, row, args.q + token * args.q_stride + head * dim, head, first, p,
               args.out + (token * args.num_heads + head) * dim);
      }
}

}  // namespace gossamer::kernels
