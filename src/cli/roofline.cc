#include "cli/roofline.h"

#include <algorithm>
#include <map>

namespace gossamer::cli {
namespace {

using Stage = kernels::MeasuredBackend::Stage;

/// Which of the model's matrices has this shape.
std::string matrix_name(const Stage& stage, const ModelConfig& config) {
  const uint32_t q_width = config.num_heads * config.head_dim, kv_width = config.num_kv_heads * config.head_dim;
  if (stage.rows == config.vocab_size) return "lm_head";
  if (stage.rows == config.num_experts) return "router";
  if (stage.rows == config.hidden && stage.cols == q_width) return "o";
  if (stage.rows == q_width + 2 * kv_width) return "q, k, v";
  return std::to_string(stage.rows) + " x " + std::to_string(stage.cols);
}

std::string stage_name(const Stage& stage, const ModelConfig& config) {
  if (stage.op == kernels::Op::kUnembed) return "lm_head";
  if (stage.op == kernels::Op::kMatmul) return matrix_name(stage, config);
  if (stage.op == kernels::Op::kAttention) return stage.window > 0 ? "attention, window" : "attention, full";
  return std::string(kernels::op_name(stage.op));
}

double limit_seconds(const kernels::MeasuredBackend::Work& work, const MachineLimits& limits) {
  if (limits.memory_bytes_per_s <= 0) return 0;
  const auto at = [](double amount, double rate) { return rate > 0 ? amount / rate : 0; };
  return std::max(work.bytes / limits.memory_bytes_per_s, at(work.float_flops, limits.arithmetic.float_flops) +
                                                              at(work.rounded_flops, limits.arithmetic.rounded_flops));
}

}  // namespace

std::optional<double> StageRow::of_limit() const {
  if (limit_seconds <= 0 || seconds <= 0) return std::nullopt;
  return limit_seconds / seconds;
}

std::optional<double> Roofline::of_limit(double tokens_per_s) const {
  if (limit_tokens_per_s <= 0) return std::nullopt;
  return tokens_per_s / limit_tokens_per_s;
}

Roofline make_roofline(const ModelRate& rate, const ModelConfig& config, const MachineLimits& limits) {
  std::map<std::string, StageRow> by_name;
  Roofline roofline;
  double limit = 0;
  for (const auto& [stage, work] : rate.ledger) {
    StageRow& row = by_name[stage_name(stage, config)];
    row.seconds += work.seconds / rate.tokens;
    row.bytes += work.bytes / rate.tokens;
    row.flops += (work.float_flops + work.rounded_flops) / rate.tokens;
    row.limit_seconds += limit_seconds(work, limits) / rate.tokens;
  }
  for (auto& [name, row] : by_name) {
    row.name = name;
    roofline.bytes += row.bytes;
    roofline.flops += row.flops;
    limit += row.limit_seconds;
    roofline.stages.push_back(row);
  }
  std::sort(roofline.stages.begin(), roofline.stages.end(),
            [](const StageRow& a, const StageRow& b) { return a.seconds > b.seconds; });
  roofline.limit_tokens_per_s = limit > 0 ? 1 / limit : 0;
  return roofline;
}

}  // namespace gossamer::cli
