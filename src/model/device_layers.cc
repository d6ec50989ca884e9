/// The kernels of DeviceForward's layers, in order.

#include <algorithm>
#include <cmath>

#include "kernels/read_row.h"
#include "model/device_forward.h"

namespace gossamer {

using namespace kernels::cuda;

Sums DeviceForward::sums_for(const DeviceMatrix& matrix) const {
  const bool once = sums_ != Sums::kInOneRunOnHopper || can_run_once(matrix.shape.format, scales_fold_);
  return once ? sums_ : Sums::kInSlices;
}

Sums DeviceForward::sums_of_experts(uint32_t layer) const {
  const Sums sums = sums_for(weights_.layer(layer).down);
  return sums_for(weights_.layer(layer).gate_up) == sums ? sums : Sums::kInSlices;
}

bool DeviceForward::is_few() const {
  return num_tokens_ <= kFewTokens && sums_ != Sums::kInOneRunOnHopper;
}

/// Rows of the embedding begin the residual stream.
void DeviceForward::embed_tokens() {
  if (!host_experts_) {
    kernels::cuda::embed({weights_.embedding(), weights_.embedding_row_bytes(), weights_.embedding_dtype(), tokens_,
                          num_tokens_, config_.hidden, work_.residual},
                         stream_.get());
    return;
  }
  const auto* tokens = reinterpret_cast<const uint32_t*>(host_words_.data());
  embedded_.resize(uint64_t{num_tokens_} * config_.hidden);
  for (uint32_t t = 0; t < num_tokens_; ++t)
    kernels::read_row(host_embedding_, tokens[t], embedded_.data() + uint64_t{t} * config_.hidden);
  stream_.copy_to_device(work_.residual, embedded_.data(), embedded_.size() * sizeof(float));
}

void DeviceForward::norm_for(const DeviceMatrix& matrix, const float* weight, const uint32_t* rows, uint32_t num_rows,
                             uint16_t* out) {
  NormOp norm{};
  norm.x = work_.residual;
  norm.rows = rows;
  norm.weight = weight;
  norm.eps = config_.rms_norm_eps;
  norm.num_rows = num_rows;
  norm.width = config_.hidden;
  norm.padded = padded_cols(config_.hidden);
  norm.to_bf16 = takes_bf16(matrix.shape.format);
  norm.out = out;
  kernels::cuda::rmsnorm(norm, stream_.get());
}

void DeviceForward::multiply(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride, uint32_t num_rows,
                             Finish finish, float* out) {
  ProductArgs args{};
  args.shape = matrix.shape;
  args.strips = matrix.strips;
  args.x = x;
  args.x_stride = x_stride;
  args.num_rows = num_rows;
  args.finish = finish;
  args.out = out;
  args.out_stride = matrix.shape.rows;
  args.sums = sums_for(matrix);
  kernels::cuda::product(args, stream_.get());
}

/// Queries into work_.q, keys and values into the cache.
void DeviceForward::project_qkv(uint32_t layer, const CacheOp& cache) {
  const DeviceLayer& w = weights_.layer(layer);
  const BatchPlaces& places = places_[config_.is_sliding(layer)];
  const float* cos = rope_.as<float>();
  const float* sin = cos + uint64_t{config_.max_context} * config_.head_dim / 2;
  if (is_few() && cache.dtype == kernels::KvDtype::kBf16) {
    kernels::cuda::qkv_of_few({work_.residual, w.attn_norm, config_.rms_norm_eps, num_tokens_, w.qkv.shape,
                               w.qkv.strips, config_.num_heads, places, cos, sin, cache, work_.q},
                              stream_.get());
    return;
  }
  norm_for(w.qkv, w.attn_norm, nullptr, num_tokens_, work_.normed);
  multiply(w.qkv, work_.normed, padded_cols(config_.hidden), num_tokens_, Finish::kStore, work_.qkv);
  kernels::cuda::rope_store({work_.qkv, num_tokens_, config_.num_heads, places, cos, sin, cache, work_.q},
                            stream_.get());
}

void DeviceForward::attention_layer(const KvMemory& memory, uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const bool sliding = config_.is_sliding(layer);
  const CacheOp cache{memory.block(0, layer_of_group_[layer]), memory.page_bytes(), memory.layout().dtype,
                      config_.num_kv_heads};
  project_qkv(layer, cache);

  AttendOp attend{};
  attend.q = work_.q;
  attend.num_tokens = num_tokens_;
  attend.num_heads = config_.num_heads;
  attend.places = places_[sliding];
  attend.cache = cache;
  attend.sinks = w.sinks;
  attend.window = sliding ? config_.sliding_window : 0;
  attend.scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
  attend.max_chunks = max_chunks_[sliding];
  attend.out = work_.attended;
  attend.to_f16 = !takes_bf16(w.o.shape.format);
  if (is_graph_) {  // a token by itself each, however rows lie: the graph knows nothing of rows
    attend.partial = max_chunks_[sliding] > 1 ? partial_.as<float>() : nullptr;
    kernels::cuda::attend(attend, stream_.get());
  } else {
    attend_as_planned(attend);
  }

  multiply(w.o, work_.attended, static_cast<uint32_t>(config_.q_rows()), num_tokens_, Finish::kAccumulate,
           work_.residual);
}

void DeviceForward::attend_as_planned(const AttendOp& args) {
  const auto partial_for = [&](bool splits, uint64_t num_tokens) {
    return splits && partial_bytes(num_tokens, args.max_chunks) <= partial_.size_bytes() ? partial_.as<float>()
                                                                                         : nullptr;
  };
  AttendOp singles = args;
  singles.tokens = plan_.tiles.empty() ? nullptr : singles_;
  singles.num_tokens = static_cast<uint32_t>(plan_.singles.size());
  singles.partial = partial_for(plan_.splits_singles(config_.num_kv_heads, args.max_chunks), plan_.singles.size());
  kernels::cuda::attend(singles, stream_.get());
  AttendTilesOp tiles{args, tiles_, static_cast<uint32_t>(plan_.tiles.size()), plan_.tile_tokens};
  tiles.args.partial =
      partial_for(plan_.splits_tiles(config_.num_kv_heads, args.max_chunks), plan_.tiles.size() * plan_.tile_tokens);
  kernels::cuda::attend_tiles(tiles, stream_.get());
}

PlanOp DeviceForward::route_and_plan(uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const uint32_t active = config_.experts_per_token, slots = num_tokens_ * active;
  RouteOp route{};
  route.x = work_.residual;
  route.norm_weight = w.mlp_norm;
  route.eps = config_.rms_norm_eps;
  route.num_tokens = num_tokens_;
  route.width = config_.hidden;
  route.padded = padded_cols(config_.hidden);
  route.router = w.router;
  route.bias = w.router_bias;
  route.experts = config_.num_experts;
  route.active = active;
  route.normed = work_.normed;
  route.to_bf16 = takes_bf16(w.gate_up.shape.format);
  route.logits = work_.router_logits;
  route.indices = work_.indices;
  route.weights = work_.weights;
  route.counts = work_.counts;

  PlanOp plan{};
  plan.indices = work_.indices;
  plan.num_slots = slots;
  plan.experts = config_.num_experts;
  plan.active = active;
  plan.tile_rows = tile_rows_for(slots / std::min(config_.num_experts, slots), sums_of_experts(layer));
  plan.counts = work_.counts;
  plan.begins = work_.begins;
  plan.tiles = work_.tiles;
  plan.num_tiles = work_.num_tiles;
  plan.token_of_place = work_.token_of_place;
  plan.place_of_slot = work_.place_of_slot;
  if (host_experts_) {
    plan.order = host_experts_->order(layer);
    plan.num_on_host = host_experts_->num_on_host(layer);
  }
  if (!host_experts_ && plan.tile_rows == 8 && takes_few_slots(num_tokens_, slots)) {
    kernels::cuda::route_and_plan_few(route, plan, work_.arrived, stream_.get());
    return plan;
  }
  kernels::cuda::route(route, stream_.get());
  if (host_experts_ && is_graph_)
    host_experts_->tell(stream_, normed_rows(layer), work_.indices, num_tokens_);
  else if (host_experts_)
    host_experts_->ask(stream_, normed_rows(layer), work_.indices, num_tokens_);
  kernels::cuda::plan_experts(plan, stream_.get());
  return plan;
}

Status DeviceForward::experts_layer(uint32_t layer) {
  start_experts(layer);
  if (host_experts_) GOS_TRY_STATUS(host_experts_->answer(stream_, layer, work_.contracted));
  if (!contracts_few()) combine_experts(combine_op(), stream_.get());
  return {};
}

void DeviceForward::start_experts(uint32_t layer) {
  const ProductArgs expand = expand_experts(layer);
  if (contracts_few())
    contract_few(layer, expand);
  else
    contract_experts(layer, expand);
}

HostExperts::Rows DeviceForward::normed_rows(uint32_t layer) const {
  const bool to_bf16 = takes_bf16(weights_.layer(layer).gate_up.shape.format);
  return {work_.normed, padded_cols(config_.hidden), to_bf16 ? Dtype::kBf16 : Dtype::kF16};
}

/// The first matrices of all experts with their activation, into work_.inner.
ProductArgs DeviceForward::expand_experts(uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const PlanOp plan = route_and_plan(layer);
  ProductArgs expand{};
  expand.tile_rows = plan.tile_rows;
  expand.shape = w.gate_up.shape;
  expand.strips = w.gate_up.strips;
  expand.x = work_.normed;
  expand.x_stride = padded_cols(config_.hidden);
  expand.num_rows = num_tokens_ * config_.experts_per_token;
  expand.finish = Finish::kSwiglu;
  expand.out_half = work_.inner;
  expand.to_bf16 = takes_bf16(w.down.shape.format);
  expand.out_stride = padded_cols(config_.intermediate);
  expand.swiglu_limit = config_.swiglu_limit;
  expand.tiles = work_.tiles;
  expand.num_tiles = work_.num_tiles;
  expand.max_tiles = max_expert_tiles(expand.num_rows, config_.num_experts - plan.num_on_host, plan.tile_rows);
  expand.expert_bytes = w.gate_up.shape.bytes();
  expand.x_of_row = work_.token_of_place;
  expand.sums = sums_of_experts(layer);
  kernels::cuda::product(expand, stream_.get());
  return expand;
}

bool DeviceForward::contracts_few() const {
  return !host_experts_ && is_few() && config_.experts_per_token <= kMostActive;
}

/// What the experts of `expand` gave, through their second matrix and onto the residual stream.
void DeviceForward::contract_few(uint32_t layer, const ProductArgs& expand) {
  const DeviceMatrix& down = weights_.layer(layer).down;
  kernels::cuda::contract_few(
      {down.shape, down.strips, down.shape.bytes(), work_.inner, static_cast<uint32_t>(expand.out_stride),
       work_.indices, work_.place_of_slot, work_.weights, num_tokens_, config_.experts_per_token, work_.residual},
      stream_.get());
}

/// The same up to the sum over choices.
void DeviceForward::contract_experts(uint32_t layer, const ProductArgs& expand) {
  const DeviceMatrix& down = weights_.layer(layer).down;
  ProductArgs contract = expand;
  contract.shape = down.shape;
  contract.strips = down.strips;
  contract.x = work_.inner;
  contract.x_stride = static_cast<uint32_t>(expand.out_stride);
  contract.finish = Finish::kStore;
  contract.out = work_.contracted;
  contract.out_stride = config_.hidden;
  contract.expert_bytes = down.shape.bytes();
  contract.x_of_row = nullptr;
  kernels::cuda::product(contract, stream_.get());
}

CombineOp DeviceForward::combine_op() const {
  return {work_.contracted,          work_.place_of_slot, work_.weights, num_tokens_,
          config_.experts_per_token, config_.hidden,      work_.residual};
}

}  // namespace gossamer
