#include "model/device_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/read_row.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kMostHeadsOfGroup = 8;
constexpr uint32_t kMostExperts = 128;
constexpr uint32_t kScratchPages = 128;
/// Blocks that keep a GPU busy: with fewer, attention is split over positions.
constexpr uint32_t kFewBlocks = 512;

Status check_shape(const ModelConfig& config) {
  const uint32_t group = config.num_heads / config.num_kv_heads;
  if (config.head_dim == kHeadDim && group <= kMostHeadsOfGroup && config.num_experts <= kMostExperts &&
      config.hidden % 2 == 0)
    return {};
  return make_error(
      ErrorCode::kUnsupported,
      "a GPU here takes heads of {}, at most {} of them on one key and {} experts; this model has heads of {}, {} "
      "and {}; run it on the CPU",
      kHeadDim, kMostHeadsOfGroup, kMostExperts, config.head_dim, group, config.num_experts);
}

}  // namespace

Result<std::unique_ptr<DeviceForward>> DeviceForward::make(const ModelConfig& config, const Weights& weights,
                                                           const kernels::RopeParams& rope, ThreadPool& threads,
                                                           const ProgressFn& progress, const DeviceLimits& limits) {
  GOS_TRY_STATUS(check_shape(config));
  GOS_TRY(PlacedExperts experts, place_experts(config, weights, limits));
  GOS_TRY(DeviceWeights on_device, DeviceWeights::upload(config, weights, threads, progress, experts.placement));
  GOS_TRY(DeviceStream stream, DeviceStream::create());
  std::unique_ptr<DeviceForward> made(new DeviceForward(config, std::move(on_device), std::move(stream)));
  if (experts.placement.num_on_host() > 0) {
    made->host_embedding_ = weights.embedding;
    GOS_TRY(made->host_experts_,
            DeviceHostExperts::make(config, weights, std::move(experts), limits, threads, progress));
  }
  kernels::RopeTable table(rope);
  table.reserve(config.max_context);
  const uint64_t bytes = uint64_t{config.max_context} * kHeadDim / 2 * sizeof(float);
  GOS_TRY(made->rope_, DeviceMemory::allocate(2 * bytes));
  made->stream_.copy_to_device(made->rope_.data(), table.cos(), bytes);
  made->stream_.copy_to_device(made->rope_.data() + bytes, table.sin(), bytes);
  GOS_TRY_STATUS(made->stream_.synchronize());
  uint32_t of_kind[2] = {0, 0};
  for (uint32_t layer = 0; layer < config.num_layers; ++layer)
    made->layer_of_group_.push_back(of_kind[config.is_sliding(layer)]++);
  return made;
}

Result<KvMemory> DeviceForward::allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                                            uint32_t num_pages) const {
  if (layout.dtype == kernels::KvDtype::kF32)
    return make_error(ErrorCode::kUnsupported,
                      "a GPU here keeps keys and values in bf16 or int8, not in f32; use --kv-dtype");
  const uint64_t bytes = shape.page_bytes() * (uint64_t{num_pages} + kScratchPages);
  GOS_TRY(DeviceMemory memory, DeviceMemory::allocate(bytes));
  const auto shared = std::make_shared<DeviceMemory>(std::move(memory));
  return KvMemory::of_device(layout, shape, num_pages, {shared, shared->data()});
}

DeviceForward::~DeviceForward() {
  (void)stream_.synchronize().ok();
}

std::string DeviceForward::placement() const {
  return host_experts_ ? host_experts_->in_words(weights_.size_bytes()) : "";
}

uint64_t DeviceForward::free_bytes() const {
  return kernels::cuda::free_device_bytes();
}

Status DeviceForward::reserve(uint32_t num_tokens) {
  if (num_tokens <= work_.max_tokens) return {};
  const uint64_t t = num_tokens, d = config_.hidden, slots = t * config_.experts_per_token;
  const uint64_t qkv = uint64_t{config_.num_heads + 2 * config_.num_kv_heads} * kHeadDim;
  const auto cut_all = [&](std::byte* memory, Workspace& work) {
    DeviceCutter cutter(memory);
    cutter.cut(work.residual, t * d);
    cutter.cut(work.normed, t * padded_cols(config_.hidden));
    cutter.cut(work.qkv, t * qkv);
    cutter.cut(work.q, t * config_.q_rows());
    cutter.cut(work.attended, t * config_.q_rows());
    cutter.cut(work.router_logits, t * config_.num_experts);
    cutter.cut(work.indices, slots);
    cutter.cut(work.weights, slots);
    cutter.cut(work.counts, config_.num_experts);
    cutter.cut(work.begins, config_.num_experts);
    cutter.cut(work.num_tiles, 1);
    cutter.cut(work.tiles, max_expert_tiles(static_cast<uint32_t>(slots), config_.num_experts, 8));
    cutter.cut(work.token_of_place, slots);
    cutter.cut(work.place_of_slot, slots);
    cutter.cut(work.inner, slots * padded_cols(config_.intermediate));
    cutter.cut(work.contracted, slots * d);
    return cutter.used();
  };
  Workspace work{};
  const uint64_t bytes = cut_all(nullptr, work);
  work_ = Workspace();  // first: both together may not fit
  if (host_experts_) {
    GOS_TRY_STATUS(stream_.synchronize());  // a batch of which nothing was asked may be under way
    GOS_TRY_STATUS(host_experts_->reserve(num_tokens));
  }
  GOS_TRY(work.memory, DeviceMemory::allocate(bytes));
  cut_all(work.memory.data(), work);
  work.max_tokens = num_tokens;
  stream_.fill(work.memory.data(), 0, bytes);  // counts, and what is behind padded rows
  work_ = std::move(work);
  return {};
}

/// Tokens, positions, and the block tables of both groups of layers.
Status DeviceForward::send_batch(const Batch& batch) {
  const KvMemory& memory = *batch.rows.front().cache.memory;
  for (const BatchRow& row : batch.rows)
    if (row.cache.memory != &memory)
      return make_error(ErrorCode::kInvalidInput,
                        "the rows of a step have their keys and values in different caches, which a GPU does not take; "
                        "put their sequences into one cache, or compute them one after the other");
  std::vector<uint32_t>& words = host_words_;
  words.assign(batch.tokens.begin(), batch.tokens.end());
  const size_t positions = words.size();
  for (const BatchRow& row : batch.rows)
    for (uint32_t i = 0; i < row.length; ++i) words.push_back(row.start + i);
  const size_t begins = words.size();
  uint32_t begin = 0;
  for (const BatchRow& row : batch.rows) {
    words.insert(words.end(), row.length, begin);
    begin += pages_of(row.start + row.length);
  }
  size_t tables[2];
  max_chunks_[0] = max_chunks_[1] = 1;
  for (const bool sliding : {false, true}) {
    tables[sliding] = words.size();
    uint32_t scratch = memory.num_pages();
    for (const BatchRow& row : batch.rows) {
      const uint32_t end = row.start + row.length, num_pages = pages_of(end);
      const auto& table = sliding ? row.cache.sliding : row.cache.full;
      for (uint32_t page = 0; page < num_pages; ++page)
        words.push_back(table[page] != kNoPage            ? table[page]
                        : page >= row.start / kPageTokens ? scratch++
                                                          : 0);  // before the window: nobody looks
      const uint32_t seen = sliding ? std::min(end, config_.sliding_window + kernels::kAttentionChunkTokens) : end;
      max_chunks_[sliding] =
          std::max(max_chunks_[sliding], (seen + kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens);
    }
    if (scratch - memory.num_pages() > kScratchPages)
      return make_error(
          ErrorCode::kInvalidInput,
          "a step of {} tokens has more behind the sliding window than the {} pages that a GPU keeps for it",
          batch.tokens.size(), kScratchPages);
  }
  GOS_TRY_STATUS(grow(words_, words.size() * sizeof(uint32_t)));
  stream_.copy_to_device(words_.data(), words.data(), words.size() * sizeof(uint32_t));
  const auto* sent = words_.as<uint32_t>();
  tokens_ = sent;
  for (const bool sliding : {false, true}) places_[sliding] = {sent + positions, sent + begins, sent + tables[sliding]};
  return {};
}

Result<std::span<const float>> DeviceForward::forward(const Batch& batch, ForwardTrace* trace) {
  if (batch.tokens.empty()) return std::span<const float>{};
  num_tokens_ = static_cast<uint32_t>(batch.tokens.size());
  GOS_TRY_STATUS(reserve(num_tokens_));
  GOS_TRY_STATUS(send_batch(batch));
  const uint64_t most_chunks = std::max(max_chunks_[0], max_chunks_[1]);
  if (num_tokens_ * config_.num_kv_heads < kFewBlocks && most_chunks > 1)
    GOS_TRY_STATUS(grow(partial_, num_tokens_ * config_.num_kv_heads * most_chunks * kPartialFloats * sizeof(float)));
  if (trace) trace->layers.assign(config_.num_layers, {});

  embed(batch);
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(batch, layer);
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, true));
    GOS_TRY_STATUS(experts_layer(layer));
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, false));
    GOS_TRY_STATUS(fill_taps(batch, layer));
  }
  return unembed(batch);
}

/// Rows of the embedding begin the residual stream.
void DeviceForward::embed(const Batch& batch) {
  if (!host_experts_) {
    kernels::cuda::embed({weights_.embedding(), weights_.embedding_row_bytes(), weights_.embedding_dtype(), tokens_,
                          num_tokens_, config_.hidden, work_.residual},
                         stream_.get());
    return;
  }
  embedded_.resize(uint64_t{num_tokens_} * config_.hidden);
  for (uint32_t t = 0; t < num_tokens_; ++t)
    kernels::read_row(host_embedding_, batch.tokens[t], embedded_.data() + uint64_t{t} * config_.hidden);
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
  kernels::cuda::product(args, stream_.get());
}

void DeviceForward::attention_layer(const Batch& batch, uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const bool sliding = config_.is_sliding(layer);
  norm_for(w.qkv, w.attn_norm, nullptr, num_tokens_, work_.normed);
  multiply(w.qkv, work_.normed, padded_cols(config_.hidden), num_tokens_, Finish::kStore, work_.qkv);

  const KvMemory& memory = *batch.rows.front().cache.memory;
  const CacheOp cache{memory.block(0, layer_of_group_[layer]), memory.page_bytes(), memory.layout().dtype,
                      config_.num_kv_heads};
  const float* cos = rope_.as<float>();
  const float* sin = cos + uint64_t{config_.max_context} * kHeadDim / 2;
  kernels::cuda::rope_store({work_.qkv, num_tokens_, config_.num_heads, places_[sliding], cos, sin, cache, work_.q},
                            stream_.get());

  const bool splits = num_tokens_ * config_.num_kv_heads < kFewBlocks && max_chunks_[sliding] > 1;
  AttendOp attend{};
  attend.q = work_.q;
  attend.num_tokens = num_tokens_;
  attend.num_heads = config_.num_heads;
  attend.places = places_[sliding];
  attend.cache = cache;
  attend.sinks = w.sinks;
  attend.window = sliding ? config_.sliding_window : 0;
  attend.scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
  attend.max_chunks = max_chunks_[sliding];
  attend.partial = splits ? partial_.as<float>() : nullptr;
  attend.out = work_.attended;
  attend.to_f16 = !takes_bf16(w.o.shape.format);
  kernels::cuda::attend(attend, stream_.get());

  multiply(w.o, work_.attended, static_cast<uint32_t>(config_.q_rows()), num_tokens_, Finish::kAccumulate,
           work_.residual);
}

Status DeviceForward::experts_layer(uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const uint32_t hidden = config_.hidden, active = config_.experts_per_token, slots = num_tokens_ * active;
  const uint32_t padded = padded_cols(hidden), inner = padded_cols(config_.intermediate);
  RouteOp route{};
  route.x = work_.residual;
  route.norm_weight = w.mlp_norm;
  route.eps = config_.rms_norm_eps;
  route.num_tokens = num_tokens_;
  route.width = hidden;
  route.padded = padded;
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
  kernels::cuda::route(route, stream_.get());
  if (host_experts_)
    host_experts_->ask(stream_, {work_.normed, padded, route.to_bf16 ? Dtype::kBf16 : Dtype::kF16}, work_.indices,
                       num_tokens_);

  PlanOp plan{};
  plan.indices = work_.indices;
  plan.num_slots = slots;
  plan.experts = config_.num_experts;
  plan.active = active;
  plan.tile_rows = tile_rows_for(slots / std::min(config_.num_experts, slots));
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
  kernels::cuda::plan_experts(plan, stream_.get());

  ProductArgs expand{};
  expand.shape = w.gate_up.shape;
  expand.strips = w.gate_up.strips;
  expand.x = work_.normed;
  expand.x_stride = padded;
  expand.num_rows = slots;
  expand.finish = Finish::kSwiglu;
  expand.out_half = work_.inner;
  expand.to_bf16 = takes_bf16(w.down.shape.format);
  expand.out_stride = inner;
  expand.swiglu_limit = config_.swiglu_limit;
  expand.tiles = work_.tiles;
  expand.num_tiles = work_.num_tiles;
  expand.max_tiles = max_expert_tiles(slots, config_.num_experts - plan.num_on_host, plan.tile_rows);
  expand.tile_rows = plan.tile_rows;
  expand.expert_bytes = w.gate_up.shape.bytes();
  expand.x_of_row = work_.token_of_place;
  kernels::cuda::product(expand, stream_.get());

  ProductArgs contract = expand;
  contract.shape = w.down.shape;
  contract.strips = w.down.strips;
  contract.x = work_.inner;
  contract.x_stride = inner;
  contract.finish = Finish::kStore;
  contract.out = work_.contracted;
  contract.out_stride = hidden;
  contract.expert_bytes = w.down.shape.bytes();
  contract.x_of_row = nullptr;
  kernels::cuda::product(contract, stream_.get());

  if (host_experts_) GOS_TRY_STATUS(host_experts_->answer(stream_, layer, work_.contracted));
  kernels::cuda::combine_experts(
      {work_.contracted, work_.place_of_slot, work_.weights, num_tokens_, active, hidden, work_.residual},
      stream_.get());
  return {};
}

Status DeviceForward::take_trace(ForwardTrace& trace, uint32_t layer, bool after_attention) {
  ForwardTrace::Layer& seen = trace.layers[layer];
  const auto take = [&](auto& out, const auto* from, uint64_t count) {
    out.resize(count);
    stream_.copy_to_host(out.data(), from, count * sizeof(*from));
  };
  const uint64_t t = num_tokens_, slots = t * config_.experts_per_token;
  take(after_attention ? seen.after_attention : seen.hidden, work_.residual, t * config_.hidden);
  if (!after_attention) {
    take(seen.router_logits, work_.router_logits, t * config_.num_experts);
    take(seen.router_indices, work_.indices, slots);
    take(seen.router_weights, work_.weights, slots);
  }
  return stream_.synchronize();
}

Status DeviceForward::fill_taps(const Batch& batch, uint32_t layer) {
  const float* rows = work_.residual;
  bool any = false;
  for (const BatchRow& row : batch.rows) {
    const size_t floats = static_cast<size_t>(row.length) * config_.hidden;
    if (row.taps) {
      row.taps->hidden.resize(row.taps->layers.size());
      for (size_t tap = 0; tap < row.taps->layers.size(); ++tap) {
        if (row.taps->layers[tap] != layer) continue;
        row.taps->hidden[tap].resize(floats);
        stream_.copy_to_host(row.taps->hidden[tap].data(), rows, floats * sizeof(float));
        any = true;
      }
    }
    rows += floats;
  }
  return any ? stream_.synchronize() : Status();
}

}  // namespace gossamer
