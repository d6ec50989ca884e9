#include "model/device_forward.h"

#include <algorithm>

#include "kernels/cuda/hopper_agreement.h"
#include "kernels/cuda/pack_strips.h"

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

Status check_sums(DeviceSums choice) {
  if (choice == DeviceSums::kAuto || choice == DeviceSums::kPortable || has_warpgroups()) return {};
  return make_error(ErrorCode::kUnsupported,
                    "products by warpgroups need a GPU of compute capability 9.0 (Hopper), and this is none; leave "
                    "out --gpu-sums {}",
                    device_sums_name(choice));
}

bool takes_graph(const Batch& batch, uint32_t most_tokens) {
  return batch.tokens.size() <= most_tokens &&
         std::all_of(batch.rows.begin(), batch.rows.end(),
                     [](const BatchRow& row) { return row.length <= kMostGraphRowTokens; });
}

}  // namespace

Result<std::unique_ptr<DeviceForward>> DeviceForward::make(const ModelConfig& config, const Weights& weights,
                                                           const kernels::RopeParams& rope, ThreadPool& threads,
                                                           const ProgressFn& progress, const DeviceLimits& limits) {
  GOS_TRY_STATUS(check_shape(config));
  GOS_TRY_STATUS(check_sums(limits.sums));
  GOS_TRY(PlacedExperts experts,
          place_experts(config, weights, limits,
                        std::min(limits.weight_bytes, weight_room_bytes(config, limits.most_bytes))));
  GOS_TRY(DeviceWeights on_device, DeviceWeights::upload(config, weights, threads, progress, experts.placement));
  GOS_TRY(std::unique_ptr<DeviceForward> made, make_with(config, std::move(on_device), rope));
  made->most_bytes_ = limits.most_bytes;
  GOS_TRY_STATUS(made->choose_sums(limits.sums, [&] { return all_scales_fold(weights); }));
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

Status DeviceForward::choose_sums(DeviceSums choice, const std::function<bool()>& scales_fold) {
  sums_ = Sums::kInSlices;
  if (choice == DeviceSums::kPortable || (choice == DeviceSums::kAuto && !has_warpgroups())) return {};
  GOS_TRY_STATUS(check_sums(choice));
  if (choice == DeviceSums::kOneRun) {
    sums_ = Sums::kInOneRunOnHopper;
    scales_fold_ = scales_fold();
    return {};
  }
  if (choice == DeviceSums::kAuto) {
    GOS_TRY(const HopperAgreement agreement, compare_on_hopper(stream_, kQuickAgreement));
    if (!agreement.same_bits()) return {};
  }
  sums_ = Sums::kInSlicesOnHopper;
  return {};
}

DeviceSums DeviceForward::sums() const {
  if (sums_ == Sums::kInSlices) return DeviceSums::kPortable;
  return sums_ == Sums::kInOneRunOnHopper ? DeviceSums::kOneRun : DeviceSums::kHopper;
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
  GOS_TRY_STATUS(write_tokens(batch, words));
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
  const bool any_drawn =
      std::any_of(batch.rows.begin(), batch.rows.end(), [](const BatchRow& row) { return row.drawn_row.has_value(); });
  if (any_drawn)
    kernels::cuda::take_drawn({words_.as<uint32_t>(), num_tokens_, config_.vocab_size, head_.drawn_before().data()},
                              stream_.get());
  return {};
}

Status DeviceForward::write_tokens(const Batch& batch, uint32_t* words) const {
  std::copy(batch.tokens.begin(), batch.tokens.end(), words);
  const size_t num_drawn = head_.drawn_before().size();
  for (const BatchRow& row : batch.rows) {
    if (row.drawn_row && *row.drawn_row >= num_drawn)
      return make_error(ErrorCode::kInvalidInput,
                        "a row begins with what was drawn of row {}, but {} rows of logits stayed in the step before",
                        *row.drawn_row, num_drawn);
    if (row.drawn_row) *words = kernels::cuda::kIsDrawn | *row.drawn_row;
    words += row.length;
  }
  return {};
}

Result<std::span<const float>> DeviceForward::forward(const Batch& batch, ForwardTrace* trace) {
  if (batch.tokens.empty()) return std::span<const float>{};
  GOS_TRY_STATUS(stream_.use_device());  // an engine's thread is not the one that loaded
  GOS_TRY_STATUS(head_.begin_step(stream_));
  const bool is_watched = trace || std::any_of(batch.rows.begin(), batch.rows.end(),
                                               [](const BatchRow& row) { return row.taps != nullptr; });
  const bool is_graph = !is_watched && takes_graph(batch, host_experts_ ? kMostSegmentTokens : kMostGraphTokens);
  const auto num_tokens = static_cast<uint32_t>(batch.tokens.size());
  uint32_t longest = 0;
  for (const BatchRow& row : batch.rows) longest = std::max(longest, row.start + row.length);
  const uint32_t num_chunks = (longest + kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens;
  GOS_TRY_STATUS(reserve({num_tokens, static_cast<uint32_t>(batch.rows.size()), longest}));
  shape_step(is_graph ? token_bucket(num_tokens) : num_tokens, is_graph ? chunk_bucket(num_chunks) : num_chunks,
             is_graph);
  GOS_TRY_STATUS(send_batch(batch, is_graph));
  GOS_TRY_STATUS(stream_.check_started());  // what failed of it would be taken for a graph's that cannot be recorded

  const KvMemory& cache = *batch.rows.front().cache.memory;
  if (is_watched)
    GOS_TRY_STATUS(watch_layers(batch, trace));
  else
    GOS_TRY_STATUS(is_graph ? start_segments(cache) : start_layers(cache));
  Result<std::span<const float>> logits = unembed(batch);
  GOS_TRY_STATUS(stream_.check_started());  // now: whoever asks next may ask for another step
  return logits;
}

Status DeviceForward::start_segments(const KvMemory& cache) {
  const DeviceGraphs::Segments* graphs = graphs_of(cache);
  const auto start = [&](uint32_t segment) {
    if (graphs)
      (*graphs)[segment].launch(stream_);
    else
      start_segment(cache, segment);
  };
  if (host_experts_) embed_tokens();
  for (uint32_t segment = 0; segment + 1 < num_segments(); ++segment) {
    host_experts_->expect();
    start(segment);
    GOS_TRY_STATUS(host_experts_->answer_told(stream_, segment, normed_rows(segment), num_tokens_));
  }
  start(num_segments() - 1);
  return {};
}

const DeviceGraphs::Segments* DeviceForward::graphs_of(const KvMemory& cache) {
  return graphs_.find(key_of(cache), stream_, num_segments(), [&](uint32_t segment) { start_segment(cache, segment); });
}

uint32_t DeviceForward::num_segments() const {
  return host_experts_ ? config_.num_layers + 1 : 1;
}

void DeviceForward::start_segment(const KvMemory& cache, uint32_t segment) {
  if (!host_experts_) {
    static_cast<void>(start_layers(cache));  // only the host's share can fail
    return;
  }
  if (segment > 0) combine_with_host(combine_op(), host_experts_->told_rows(), stream_.get());
  if (segment == config_.num_layers) return;
  attention_layer(cache, segment);
  start_experts(segment);
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
