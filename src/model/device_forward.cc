#include "model/device_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cuda/pack_strips.h"
#include "kernels/read_row.h"

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

/// A second look at all scales, an eighteenth of what a model of MXFP4 has; only for those who ask.
bool all_scales_fold(const Weights& weights) {
  bool all = scales_fold(weights.lm_head);
  for (const LayerWeights& layer : weights.layers) {
    for (const kernels::WeightRows* w : {&layer.q, &layer.k, &layer.v, &layer.o}) all = all && scales_fold(*w);
    for (const kernels::ExpertRows* experts : {&layer.gate, &layer.up, &layer.down})
      for (uint32_t expert = 0; expert < experts->experts; ++expert) all = all && scales_fold(experts->expert(expert));
  }
  return all;
}

bool takes_graph(const Batch& batch) {
  return batch.tokens.size() <= kMostGraphTokens &&
         std::all_of(batch.rows.begin(), batch.rows.end(),
                     [](const BatchRow& row) { return row.length <= kMostGraphRowTokens; });
}

}  // namespace

Result<std::unique_ptr<DeviceForward>> DeviceForward::make(const ModelConfig& config, const Weights& weights,
                                                           const kernels::RopeParams& rope, ThreadPool& threads,
                                                           const ProgressFn& progress, const DeviceLimits& limits) {
  GOS_TRY_STATUS(check_shape(config));
  GOS_TRY(PlacedExperts experts,
          place_experts(config, weights, limits,
                        std::min(limits.weight_bytes, weight_room_bytes(config, limits.most_bytes))));
  GOS_TRY(DeviceWeights on_device, DeviceWeights::upload(config, weights, threads, progress, experts.placement));
  GOS_TRY(std::unique_ptr<DeviceForward> made, make_with(config, std::move(on_device), rope));
  made->most_bytes_ = limits.most_bytes;
  if (experts.placement.num_on_host() > 0) {
    made->host_embedding_ = weights.embedding;
    GOS_TRY(made->host_experts_,
            DeviceHostExperts::make(config, weights, std::move(experts), limits, threads, progress));
  }
  return made;
}

Result<std::unique_ptr<DeviceForward>> DeviceForward::make_with(const ModelConfig& config, DeviceWeights weights,
                                                                const kernels::RopeParams& rope) {
  GOS_TRY_STATUS(check_shape(config));
  GOS_TRY(DeviceStream stream, DeviceStream::create());
  std::unique_ptr<DeviceForward> made(new DeviceForward(config, std::move(weights), std::move(stream)));
  GOS_TRY(made->words_sent_, DeviceEvent::create());
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

void DeviceForward::shape_step(uint32_t num_tokens, uint32_t num_chunks, bool is_graph) {
  num_tokens_ = num_tokens;
  is_graph_ = is_graph;
  constexpr uint32_t kChunk = kernels::kAttentionChunkTokens;
  const bool splits = num_chunks > 1 && num_tokens * config_.num_kv_heads < kFewBlocks &&
                      partial_bytes(num_tokens, num_chunks) <= partial_.size_bytes();
  max_chunks_[0] = splits || !is_graph ? num_chunks : 1;
  max_chunks_[1] = std::min(max_chunks_[0], (config_.sliding_window + 2 * kChunk - 1) / kChunk);
  const auto* sent = words_.as<uint32_t>();
  tokens_ = sent;
  for (const bool sliding : {false, true})
    places_[sliding] = {sent + num_tokens, sent + (sliding ? 3 : 2) * uint64_t{num_tokens},
                        sent + 4 * uint64_t{num_tokens}};
}

/// Behind the words that are there already; gives how many there are then.
uint64_t DeviceForward::add_attention_plan(const Batch& batch, uint64_t num_words) {
  auto* const words = reinterpret_cast<uint32_t*>(host_words_.data());
  const auto* const sent = words_.as<uint32_t>();
  plan_ = plan_attention(batch.rows);
  singles_ = sent + num_words;
  std::copy(plan_.singles.begin(), plan_.singles.end(), words + num_words);
  num_words += plan_.singles.size();
  tiles_ = reinterpret_cast<const AttendTile*>(sent + num_words);
  for (const AttendTile& tile : plan_.tiles) {
    words[num_words++] = tile.first;
    words[num_words++] = tile.count;
  }
  return num_words;
}

DeviceForward::~DeviceForward() {
  (void)stream_.synchronize().ok();
}

Status DeviceForward::use_sums(Sums sums, const Weights& weights) {
  if (sums != Sums::kInSlices && !has_warpgroups())
    return make_error(ErrorCode::kUnsupported,
                      "products by warpgroups need a GPU of compute capability 9.0 (Hopper), and this is none");
  sums_ = sums;
  if (sums == Sums::kInOneRunOnHopper) scales_fold_ = all_scales_fold(weights);
  return {};
}

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

std::string DeviceForward::placement() const {
  return host_experts_ ? host_experts_->in_words(weights_.size_bytes()) : "";
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
Status DeviceForward::send_batch(const Batch& batch, bool is_graph) {
  const KvMemory& memory = *batch.rows.front().cache.memory;
  for (const BatchRow& row : batch.rows)
    if (row.cache.memory != &memory)
      return make_error(ErrorCode::kInvalidInput,
                        "the rows of a step have their keys and values in different caches, which a GPU does not take; "
                        "put their sequences into one cache, or compute them one after the other");
  GOS_TRY_STATUS(words_sent_.synchronize());  // the step before, of which nothing may have been asked
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
  uint64_t num_words = uint64_t{4} * num_tokens_ + num_pages_sent;
  if (!is_graph) num_words = add_attention_plan(batch, num_words);
  stream_.copy_to_device(words_.data(), words, num_words * sizeof(uint32_t));
  words_sent_.record(stream_);
  return {};
}

Result<std::span<const float>> DeviceForward::forward(const Batch& batch, ForwardTrace* trace) {
  if (batch.tokens.empty()) return std::span<const float>{};
  GOS_TRY_STATUS(stream_.use_device());  // an engine's thread is not the one that loaded
  const bool is_watched = trace || std::any_of(batch.rows.begin(), batch.rows.end(),
                                               [](const BatchRow& row) { return row.taps != nullptr; });
  const bool is_graph = !is_watched && !host_experts_ && takes_graph(batch);
  const auto num_tokens = static_cast<uint32_t>(batch.tokens.size());
  uint32_t longest = 0;
  for (const BatchRow& row : batch.rows) longest = std::max(longest, row.start + row.length);
  const uint32_t num_chunks = (longest + kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens;
  GOS_TRY_STATUS(reserve({num_tokens, static_cast<uint32_t>(batch.rows.size()), longest}));
  shape_step(is_graph ? token_bucket(num_tokens) : num_tokens, is_graph ? chunk_bucket(num_chunks) : num_chunks,
             is_graph);
  GOS_TRY_STATUS(send_batch(batch, is_graph));

  const KvMemory& cache = *batch.rows.front().cache.memory;
  if (is_watched)
    GOS_TRY_STATUS(watch_layers(batch, trace));
  else if (!is_graph || !graphs_.launch(key_of(cache), stream_, [&] { static_cast<void>(start_layers(cache)); }))
    GOS_TRY_STATUS(start_layers(cache));
  return unembed(batch);
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

/// Nothing in it can fail but the host's share of the experts.
Status DeviceForward::start_layers(const KvMemory& cache) {
  embed_tokens();
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(cache, layer);
    GOS_TRY_STATUS(experts_layer(layer));
  }
  return {};
}

Status DeviceForward::watch_layers(const Batch& batch, ForwardTrace* trace) {
  if (trace) trace->layers.assign(config_.num_layers, {});
  embed_tokens();
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(*batch.rows.front().cache.memory, layer);
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, true));
    GOS_TRY_STATUS(experts_layer(layer));
    if (trace) GOS_TRY_STATUS(take_trace(*trace, layer, false));
    GOS_TRY_STATUS(fill_taps(batch, layer));
  }
  return {};
}

Result<std::span<const float>> DeviceForward::unembed(const Batch& batch) {
  return head_.unembed(batch, stream_, [&](const uint32_t* rows, uint32_t num_rows, uint16_t* normed, float* logits) {
    norm_for(weights_.lm_head(), weights_.final_norm(), rows, num_rows, normed);
    multiply(weights_.lm_head(), normed, padded_cols(config_.hidden), num_rows, Finish::kStore, logits);
  });
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
  const float* sin = cos + uint64_t{config_.max_context} * kHeadDim / 2;
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
  attend.scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
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
  if (host_experts_)
    host_experts_->ask(stream_, {work_.normed, route.padded, route.to_bf16 ? Dtype::kBf16 : Dtype::kF16}, work_.indices,
                       num_tokens_);
  kernels::cuda::plan_experts(plan, stream_.get());
  return plan;
}

Status DeviceForward::experts_layer(uint32_t layer) {
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
  return contract_experts(layer, expand);
}

/// What the experts of `expand` gave, through their second matrix and onto the residual stream.
Status DeviceForward::contract_experts(uint32_t layer, const ProductArgs& expand) {
  const DeviceMatrix& down = weights_.layer(layer).down;
  const uint32_t hidden = config_.hidden, active = config_.experts_per_token;
  const auto inner = static_cast<uint32_t>(expand.out_stride);
  if (!host_experts_ && is_few() && active <= kMostActive) {
    kernels::cuda::contract_few({down.shape, down.strips, down.shape.bytes(), work_.inner, inner, work_.indices,
                                 work_.place_of_slot, work_.weights, num_tokens_, active, work_.residual},
                                stream_.get());
    return {};
  }
  ProductArgs contract = expand;
  contract.shape = down.shape;
  contract.strips = down.strips;
  contract.x = work_.inner;
  contract.x_stride = inner;
  contract.finish = Finish::kStore;
  contract.out = work_.contracted;
  contract.out_stride = hidden;
  contract.expert_bytes = down.shape.bytes();
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
