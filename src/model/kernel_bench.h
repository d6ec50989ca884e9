#pragma once
/// Everything that the kernels of a step read and write, made up, and each kernel as DeviceForward starts it.

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "model/attention_plan.h"
#include "model/device_weights.h"
#include "model/kernel_rates.h"

namespace gossamer {

struct KernelCase {
  std::string name;
  double bytes = 0, flops = 0;
  std::function<void(uint32_t turn)> start;  ///< with other weights, or another part of the cache, every turn
};

/// A step of `rows` tokens, each of a sequence of its own, or all of one prompt. What is given outlives it.
class KernelBench {
 public:
  KernelBench(const ModelConfig& config, const DeviceWeights& weights, const KernelRatesOptions& options, uint32_t rows,
              uint32_t num_layers, kernels::cuda::Sums sums, const kernels::cuda::DeviceStream& stream);

  /// Errors: no memory on the device.
  Status make();

  /// In the order of a step; those of draws, of few tokens and of prompts behind them, where they apply. Of other sums
  /// than kInSlices the products alone.
  std::vector<KernelCase> cases() const;

 private:
  /// Slots of experts in order, as plan_experts() leaves them, for each turn another.
  struct MadePlan {
    kernels::cuda::ExpertTile* tiles = nullptr;
    uint32_t *num_tiles = nullptr, *token_of_place = nullptr, *place_of_slot = nullptr;
    double experts = 0;  // distinct
  };

  uint32_t qkv_rows() const { return static_cast<uint32_t>(config_.q_rows() + 2 * config_.kv_rows()); }
  uint32_t padded() const { return kernels::cuda::padded_cols(config_.hidden); }
  uint32_t inner() const { return kernels::cuda::padded_cols(config_.intermediate); }
  uint32_t tile_rows() const;
  uint32_t chunks() const;
  uint32_t chunks_of(bool sliding) const;
  uint64_t cache_bytes() const { return uint64_t{turns_} * rows_ * pages_ * layout_.block_bytes(); }
  uint64_t partial_floats() const;
  bool is_few() const;
  const DeviceLayer& layer(uint32_t turn) const { return weights_.layer(turn % num_layers_); }

  void cut(kernels::cuda::DeviceCutter& cutter);
  template <class T>
  void send(T* to, const std::vector<T>& values);
  void send_tokens();
  void send_prompt();
  void send_plan(MadePlan& plan);
  kernels::cuda::PlanOp plan_op(const MadePlan& plan) const;

  kernels::cuda::ProductArgs product_args(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride,
                                          float* out) const;
  KernelCase product_case(const char* name, const kernels::cuda::StripShape& shape, double copies, double rows,
                          std::function<void(uint32_t)> start) const;
  kernels::cuda::BatchPlaces places(uint32_t turn) const;
  kernels::cuda::BatchPlaces prompt_places(uint32_t turn) const;
  kernels::cuda::CacheOp cache() const {
    return {cache_, layout_.block_bytes(), options_.kv_dtype, config_.num_kv_heads};
  }
  kernels::cuda::AttendOp attend_op(uint32_t turn, bool sliding) const;
  kernels::cuda::RouteOp route_op(uint32_t turn) const;
  double mean_experts() const;
  kernels::cuda::ProductArgs expert_args(const DeviceMatrix& matrix, const MadePlan& plan) const;

  KernelCase embed_case() const;
  KernelCase norm_case() const;
  KernelCase qkv_case() const;
  KernelCase store_case() const;
  KernelCase attend_case(bool sliding) const;
  KernelCase o_case() const;
  KernelCase route_case() const;
  KernelCase gate_up_case() const;
  KernelCase down_case() const;
  KernelCase combine_case() const;
  KernelCase head_case() const;
  KernelCase choose_case() const;
  KernelCase draw_case(const char* name, uint32_t rule) const;
  KernelCase few_qkv_case() const;
  KernelCase few_route_case() const;
  KernelCase few_down_case() const;
  KernelCase prompt_case(bool sliding) const;

  const ModelConfig& config_;
  const DeviceWeights& weights_;
  const KernelRatesOptions& options_;
  uint32_t rows_, slots_, num_layers_;
  kernels::cuda::Sums sums_;
  kernels::KvLayout layout_;
  uint32_t pages_, turns_ = 1;  // pages of a sequence; parts of the cache
  BatchRow prompt_;             // the last tokens of one sequence
  AttentionPlan prompt_plan_;
  const kernels::cuda::DeviceStream& stream_;
  std::mt19937 random_{1};
  kernels::cuda::DeviceMemory memory_;
  std::vector<std::vector<std::byte>> sent_;  // until the copies are done
  std::vector<MadePlan> plans_;               // of each layer; the last: of the kernels that plan

  float *residual_, *qkv_, *router_logits_, *weights_of_slots_, *contracted_, *logits_, *partial_, *cos_, *sin_;
  uint16_t *normed_, *q_, *attended_, *inner_;
  uint32_t *indices_, *counts_, *arrived_, *begins_, *tokens_, *positions_, *table_begins_, *tables_, *num_best_;
  uint32_t *prompt_positions_, *prompt_begins_;
  kernels::cuda::AttendTile* prompt_tiles_;
  kernels::cuda::ChoiceRow* choice_rows_;
  kernels::cuda::DeviceCandidate* best_;
  double* log_sum_exp_;
  // Of draws: rules by kind, then what they keep.
  kernels::cuda::DrawRow* draw_rows_;
  kernels::cuda::DrawSlice* draw_slices_;
  kernels::cuda::DrawCut* draw_cuts_;
  float* draw_sums_;
  kernels::cuda::DrawnToken* drawn_;
  std::byte* cache_;
};

}  // namespace gossamer
