#include "kernels/measured_backend.h"

#include <algorithm>
#include <chrono>

namespace gossamer::kernels {
namespace {

double matrix_bytes(const WeightRows& w) {
  return static_cast<double>(w.rows) * static_cast<double>(row_bytes(w.dtype, w.cols));
}
double matrix_flops(const WeightRows& w) {
  return 2.0 * w.rows * w.cols;
}

uint32_t distinct_experts(const ExpertsArgs& args) {
  std::vector<bool> used(args.gate.experts);
  for (size_t slot = 0; slot < static_cast<size_t>(args.num_tokens) * args.active; ++slot)
    used[args.indices[slot]] = true;
  return static_cast<uint32_t>(std::count(used.begin(), used.end(), true));
}

}  // namespace

template <class Compute>
void MeasuredBackend::measure(const Stage& stage, double bytes, double flops, Compute&& compute) {
  const uint64_t rounded = backend_->counts(stage.op).rounded;
  const auto start = std::chrono::steady_clock::now();
  compute();
  Work& work = ledger_[stage];
  work.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++work.calls;
  work.bytes += bytes;
  (backend_->counts(stage.op).rounded > rounded ? work.rounded_flops : work.float_flops) += flops;
}

void MeasuredBackend::embed(const EmbedArgs& args) {
  measure({.op = Op::kEmbed}, 0, 0, [&] { backend_->embed(args); });
}

void MeasuredBackend::rmsnorm(const RmsNormArgs& args) {
  measure({.op = Op::kRmsNorm}, 0, 0, [&] { backend_->rmsnorm(args); });
}

void MeasuredBackend::matmul(const MatmulArgs& args) {
  measure({.op = Op::kMatmul, .rows = args.w.rows, .cols = args.w.cols}, matrix_bytes(args.w),
          args.num_tokens * matrix_flops(args.w), [&] { backend_->matmul(args); });
}

void MeasuredBackend::matmul_together(std::span<const MatmulArgs> products) {
  Stage stage{.op = Op::kMatmul, .cols = products.front().w.cols};
  double bytes = 0, flops = 0;
  for (const MatmulArgs& args : products) {
    stage.rows += args.w.rows;
    bytes += matrix_bytes(args.w);
    flops += args.num_tokens * matrix_flops(args.w);
  }
  measure(stage, bytes, flops, [&] { backend_->matmul_together(products); });
}

void MeasuredBackend::rope(const RopeArgs& args) {
  measure({.op = Op::kRope}, 0, 0, [&] { backend_->rope(args); });
}

void MeasuredBackend::store_kv(const StoreKvArgs& args) {
  measure({.op = Op::kStoreKv}, 0, 0, [&] { backend_->store_kv(args); });
}

/// Two products of Dh terms for each head and visible position; positions that a row's tokens share count as read once.
void MeasuredBackend::attention(const AttentionArgs& args) {
  double read_positions = 0, seen_positions = 0;
  for (const CacheRow& row : args.rows) {
    const uint32_t most = args.window > 0 ? args.window : ~0u;
    for (uint32_t p = row.start; p < row.start + row.length; ++p) seen_positions += std::min(p + 1, most);
    read_positions += row.length - 1 + std::min(row.start + 1, most);
  }
  measure({.op = Op::kAttention, .window = args.window}, read_positions * static_cast<double>(args.kv.token_bytes()),
          seen_positions * 4.0 * args.num_heads * args.kv.head_dim, [&] { backend_->attention(args); });
}

void MeasuredBackend::router(const RouterArgs& args) {
  measure({.op = Op::kRouter}, 0, 0, [&] { backend_->router(args); });
}

void MeasuredBackend::experts(const ExpertsArgs& args) {
  double bytes = 0, flops = 0;
  for (const ExpertRows* rows : {&args.gate, &args.up, &args.down}) {
    bytes += matrix_bytes(rows->first);
    flops += matrix_flops(rows->first);
  }
  measure({.op = Op::kExperts, .rows = args.gate.first.rows, .cols = args.gate.first.cols},
          distinct_experts(args) * bytes, args.num_tokens * args.active * flops, [&] { backend_->experts(args); });
}

void MeasuredBackend::unembed(const UnembedArgs& args) {
  measure({.op = Op::kUnembed, .rows = args.w.rows, .cols = args.w.cols}, matrix_bytes(args.w),
          static_cast<double>(args.rows.size()) * matrix_flops(args.w), [&] { backend_->unembed(args); });
}

}  // namespace gossamer::kernels
