#include "model/step_cost.h"

#include <algorithm>
#include <cmath>

namespace gossamer {
namespace {

using kernels::cuda::StripFormat;
using kernels::cuda::StripShape;

constexpr double kShareOfBandwidth = 0.92;  // assumed: what a long read of weights reaches
constexpr double kShareOfFlops = 0.8;       // likewise of tensor cores
constexpr uint32_t kFewRows = 32;           // products take tiles of 8 rows up to here, then of 64

/// Instructions of a lane for each weight, as tests/kernels/sass_lint.py counts them for sm_90a: a tile of 8 rows, and
/// one of 64.
struct InstructionsOfWeight {
  double few, many;
};
InstructionsOfWeight instructions_of(StripFormat format) {
  switch (format) {
    case StripFormat::kMxfp4:
      return {2.73, 15.6};
    case StripFormat::kQ8:
      return {2.53, 15.5};
    case StripFormat::kBf16:
    case StripFormat::kF16:
      return {1.27, 14.6};
  }
  return {};
}

/// A matrix that meets `rows` rows, `copies` times with as many other matrices (experts).
StepPart product_part(std::string_view name, const StripShape& shape, double copies, double rows) {
  const double weights = copies * shape.rows * shape.cols;
  const InstructionsOfWeight instructions = instructions_of(shape.format);
  const bool few = rows <= kFewRows;
  return {name, copies * static_cast<double>(shape.bytes()), 2 * weights * rows,
          weights * (few ? instructions.few * std::ceil(rows / 8) : instructions.many * std::ceil(rows / 64)), 1};
}

/// The same in every layer.
StepPart times(StepPart part, uint32_t layers) {
  part.bytes *= layers;
  part.flops *= layers;
  part.lane_instructions *= layers;
  part.launches *= layers;
  return part;
}

/// Positions that the tokens start .. start + length - 1 look at; window 0: none.
uint64_t looks_of(uint32_t start, uint32_t length, uint32_t window) {
  uint64_t looks = 0;
  for (uint64_t end = uint64_t{start} + 1; end <= uint64_t{start} + length; ++end)
    looks += window > 0 ? std::min<uint64_t>(end, window) : end;
  return looks;
}

}  // namespace

StepWork decode_work(const ModelConfig& config, uint32_t batch, uint32_t context) {
  StepWork work;
  work.num_tokens = work.num_logits = batch;
  for (const bool sliding : {false, true}) {
    const uint64_t seen = looks_of(context, 1, sliding ? config.sliding_window : 0);
    work.cached_tokens[sliding] = work.looks[sliding] = batch * seen;
  }
  return work;
}

StepWork prefill_work(const ModelConfig& config, uint32_t start, uint32_t length) {
  StepWork work;
  work.num_tokens = length;
  work.cached_tokens[false] = uint64_t{start} + length;
  work.cached_tokens[true] = std::min<uint64_t>(start, config.sliding_window - 1) + length;
  for (const bool sliding : {false, true})
    work.looks[sliding] = looks_of(start, length, sliding ? config.sliding_window : 0);
  return work;
}

double expected_experts(const ModelConfig& config, uint32_t num_tokens) {
  const double missed = 1 - static_cast<double>(config.experts_per_token) / config.num_experts;
  return config.num_experts * (1 - std::pow(missed, num_tokens));
}

std::vector<StepPart> parts_of_step(const ModelConfig& config, const StepFormats& formats, const StepWork& work) {
  const double tokens = work.num_tokens, hidden = config.hidden, slots = tokens * config.experts_per_token;
  const double experts = work.experts > 0 ? work.experts : expected_experts(config, work.num_tokens);
  const auto q_rows = static_cast<uint32_t>(config.q_rows()), kv_rows = static_cast<uint32_t>(config.kv_rows());
  uint32_t layers_of[2] = {0, 0};
  for (uint32_t layer = 0; layer < config.num_layers; ++layer) ++layers_of[config.is_sliding(layer)];

  StepPart attention{"attention", 0, 0, 0, 3 * config.num_layers};  // with the way into the cache, and the joining
  const kernels::KvLayout layout{formats.kv, config.num_kv_heads, config.head_dim};
  for (const bool sliding : {false, true}) {
    attention.bytes += static_cast<double>(work.cached_tokens[sliding] * layout.token_bytes()) * layers_of[sliding];
    attention.flops += 4.0 * static_cast<double>(work.looks[sliding] * q_rows) * layers_of[sliding];
  }
  const double router_weights = hidden * config.num_experts;
  const StepPart router{"router", router_weights * sizeof(float), 2 * router_weights * tokens, 0, 4};  // and the plan
  const StripShape gate_up{StripFormat::kMxfp4, 2 * config.intermediate, config.hidden};
  const StripShape down{StripFormat::kMxfp4, config.hidden, config.intermediate};
  const double rows_of_expert = slots / experts;
  const uint32_t layers = config.num_layers;
  return {times(product_part("qkv", {formats.dense, q_rows + 2 * kv_rows, config.hidden}, 1, tokens), layers),
          attention,
          times(product_part("o", {formats.dense, config.hidden, q_rows}, 1, tokens), layers),
          times(router, layers),
          times(product_part("gate and up", gate_up, experts, rows_of_expert), layers),
          times(product_part("down", down, experts, rows_of_expert), layers),
          // Norm before attention, the sum of experts; embedding, the last norm, the choice.
          {"rest", 0, 0, 0, 2 * layers + 3},
          product_part("head", {formats.dense, config.vocab_size, config.hidden}, work.num_logits > 0 ? 1 : 0,
                       work.num_logits)};
}

StepCost cost_of(const std::vector<StepPart>& parts, const DeviceRoof& roof) {
  StepCost cost;
  for (const StepPart& part : parts) {
    cost.bytes += part.bytes;
    cost.flops += part.flops;
    if (!roof.is_known()) continue;
    const double instructions =
        roof.lane_instructions_per_s > 0 ? part.lane_instructions / roof.lane_instructions_per_s : 0;
    cost.predicted_seconds += std::max({part.bytes / (kShareOfBandwidth * roof.read_bytes_per_s),
                                        part.flops / (kShareOfFlops * roof.flops_per_s), instructions}) +
                              part.launches * roof.launch_seconds;
  }
  if (roof.is_known()) cost.limit_seconds = std::max(cost.bytes / roof.read_bytes_per_s, cost.flops / roof.flops_per_s);
  return cost;
}

}  // namespace gossamer
