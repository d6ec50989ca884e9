#include "model/device_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kMostHeadsOfGroup = 8;
constexpr uint32_t kMostExperts = 128;
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

bool takes_graph(const Batch& batch) {
  return batch.tokens.size() <= kMostGraphTokens &&
         std::all_of(batch.rows.begin(), batch.rows.end(),
                     [](const BatchRow& row) { return row.length <= kMostGraphRowTokens; });
}

}  // namespace

Result<std::unique_ptr<DeviceForward>> DeviceForward::make(const ModelConfig& config, const Weights& weights,
                                                           const kernels::RopeParams& rope, ThreadPool& threads,
                                                           const ProgressFn& progress, uint64_t most_bytes) {
  GOS_TRY_STATUS(check_shape(config));
  GOS_TRY_STATUS(check_weights_fit(config, weights, most_bytes));
  GOS_TRY(DeviceWeights on_device, DeviceWeights::upload(config, weights, threads, progress));
  GOS_TRY(DeviceStream stream, DeviceStream::create());
  std::unique_ptr<DeviceForward> made(new DeviceForward(config, std::move(on_device), std::move(stream)));
  made->most_bytes_ = most_bytes;
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

void DeviceForward::shape_step(uint32_t num_tokens, uint32_t num_chunks) {
  num_tokens_ = num_tokens;
  constexpr uint32_t kChunk = kernels::kAttentionChunkTokens;
  const bool splits = num_chunks > 1 && num_tokens * config_.num_kv_heads < kFewBlocks &&
                      partial_bytes(num_tokens, num_chunks) <= partial_.size_bytes();
  max_chunks_[0] = splits ? num_chunks : 1;
  max_chunks_[1] = std::min(max_chunks_[0], (config_.sliding_window + 2 * kChunk - 1) / kChunk);
  const auto* sent = words_.as<uint32_t>();
  tokens_ = sent;
  for (const bool sliding : {false, true})
    places_[sliding] = {sent + num_tokens, sent + (sliding ? 3 : 2) * uint64_t{num_tokens},
                        sent + 4 * uint64_t{num_tokens}};
}

StepKey DeviceForward::key_of(const KvMemory& cache) const {
  return {num_tokens_,
          {max_chunks_[0], max_chunks_[1]},
          cache.block(0, 0),
          cache.page_bytes(),
          static_cast<uint32_t>(cache.layout().dtype)};
}

/// Tokens, positions, and the block tables of both groups of layers. Tokens that fill up a bucket are copies of the
/// batch's: they compute the same bits from the same places and write them to the same places.
Status DeviceForward::send_batch(const Batch& batch) {
  const KvMemory& memory = *batch.rows.front().cache.memory;
  for (const BatchRow& row : batch.rows)
    if (row.cache.memory != &memory)
      return make_error(ErrorCode::kInvalidInput,
                        "the rows of a step have their keys and values in different caches, which a GPU does not take; "
                        "put their sequences into one cache, or compute them one after the other");
  const auto num_real = static_cast<uint32_t>(batch.tokens.size());
  uint32_t* const words = reinterpret_cast<uint32_t*>(host_words_.data());
  uint32_t* const positions = words + num_tokens_;
  uint32_t* const tables = words + uint64_t{4} * num_tokens_;
  std::copy(batch.tokens.begin(), batch.tokens.end(), words);
  uint32_t num_pages_sent = 0;
  for (const bool sliding : {false, true}) {
    uint32_t* begin = words + (sliding ? 3 : 2) * uint64_t{num_tokens_};
    uint32_t* position = positions;
    uint32_t scratch = memory.num_pages();
    for (const BatchRow& row : batch.rows) {
      begin = std::fill_n(begin, row.length, num_pages_sent);
      for (uint32_t i = 0; i < row.length; ++i) *position++ = row.start + i;
      const auto& table = sliding ? row.cache.sliding : row.cache.full;
      for (uint32_t page = 0; page < pages_of(row.start + row.length); ++page)
        tables[num_pages_sent++] = table[page] != kNoPage            ? table[page]
                                   : page >= row.start / kPageTokens ? scratch++
                                                                     : 0;  // before the window: nobody looks
    }
    if (scratch - memory.num_pages() > kScratchPages)
      return make_error(
          ErrorCode::kInvalidInput,
          "a step of {} tokens has more behind the sliding window than the {} pages that a GPU keeps for it",
          batch.tokens.size(), kScratchPages);
  }
  for (uint32_t field = 0; field < 4; ++field)
    for (uint32_t i = num_real; i < num_tokens_; ++i)
      words[field * num_tokens_ + i] = words[field * num_tokens_ + i - num_real];
  stream_.copy_to_device(words_.data(), words, (uint64_t{4} * num_tokens_ + num_pages_sent) * sizeof(uint32_t));
  return {};
}

Result<std::span<const float>> DeviceForward::forward(const Batch& batch, ForwardTrace* trace) {
  if (batch.tokens.empty()) return std::span<const float>{};
  GOS_TRY_STATUS(stream_.use_device());  // an engine's thread is not the one that loaded
  const bool is_watched = trace || std::any_of(batch.rows.begin(), batch.rows.end(),
                                               [](const BatchRow& row) { return row.taps != nullptr; });
  const bool is_graph = !is_watched && takes_graph(batch);
  const auto num_tokens = static_cast<uint32_t>(batch.tokens.size());
  uint32_t longest = 0;
  for (const BatchRow& row : batch.rows) longest = std::max(longest, row.start + row.length);
  const uint32_t num_chunks = (longest + kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens;
  GOS_TRY_STATUS(reserve({num_tokens, static_cast<uint32_t>(batch.rows.size()), longest}));
  shape_step(is_graph ? token_bucket(num_tokens) : num_tokens, is_graph ? chunk_bucket(num_chunks) : num_chunks);
  GOS_TRY_STATUS(send_batch(batch));

  const KvMemory& cache = *batch.rows.front().cache.memory;
  const auto step = [&] { start_layers(cache); };
  if (is_watched)
    GOS_TRY_STATUS(watch_layers(batch, trace));
  else if (!is_graph || !graphs_.launch(key_of(cache), stream_, step))
    step();
  GOS_TRY(const std::span<const float> logits, unembed(batch));
  GOS_TRY_STATUS(stream_.synchronize());  // host_words_ is written again by the next step
  return logits;
}

void DeviceForward::embed_tokens() {
  kernels::cuda::embed({weights_.embedding(), weights_.embedding_row_bytes(), weights_.embedding_dtype(), tokens_,
                        num_tokens_, config_.hidden, work_.residual},
                       stream_.get());
}

void DeviceForward::start_layers(const KvMemory& cache) {
  embed_tokens();
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(cache, layer);
    experts_layer(layer);
  }
}

Status DeviceForward::watch_layers(const Batch& batch, ForwardTrace* trace) {
  if (trace) trace->layers.assign(config_.num_layers, {});
  embed_tokens();
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(*batch.rows.front().cache.memory, layer);
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, true));
    experts_layer(layer);
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, false));
    GOS_TRY_STATUS(fill_taps(batch, layer));
  }
  return {};
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

void DeviceForward::attention_layer(const KvMemory& memory, uint32_t layer) {
  const DeviceLayer& w = weights_.layer(layer);
  const bool sliding = config_.is_sliding(layer);
  norm_for(w.qkv, w.attn_norm, nullptr, num_tokens_, work_.normed);
  multiply(w.qkv, work_.normed, padded_cols(config_.hidden), num_tokens_, Finish::kStore, work_.qkv);

  const CacheOp cache{memory.block(0, layer_of_group_[layer]), memory.page_bytes(), memory.layout().dtype,
                      config_.num_kv_heads};
  const float* cos = rope_.as<float>();
  const float* sin = cos + uint64_t{config_.max_context} * kHeadDim / 2;
  kernels::cuda::rope_store({work_.qkv, num_tokens_, config_.num_heads, places_[sliding], cos, sin, cache, work_.q},
                            stream_.get());

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
  attend.partial = max_chunks_[sliding] > 1 ? partial_.as<float>() : nullptr;
  attend.out = work_.attended;
  attend.to_f16 = !takes_bf16(w.o.shape.format);
  kernels::cuda::attend(attend, stream_.get());

  multiply(w.o, work_.attended, static_cast<uint32_t>(config_.q_rows()), num_tokens_, Finish::kAccumulate,
           work_.residual);
}

void DeviceForward::experts_layer(uint32_t layer) {
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
  expand.max_tiles = max_expert_tiles(slots, config_.num_experts, plan.tile_rows);
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

  kernels::cuda::combine_experts(
      {work_.contracted, work_.place_of_slot, work_.weights, num_tokens_, active, hidden, work_.residual},
      stream_.get());
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
