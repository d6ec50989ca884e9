/// What DeviceForward takes of a GPU's memory: all of it before it is ready, and no more than it may.

#include <algorithm>
#include <utility>

#include "model/device_forward.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;

/// For attention that is split: 28 tokens with 128k positions behind them, or 48 with 75k. More are not split, which
/// costs time and no bits; neither are they where that would be more than an eighth of what is free.
constexpr uint64_t kMostPartialBytes = 256 << 20;
/// What the driver keeps of a kernel in a graph. A guess, not measured: its arguments are 4 KiB at most.
constexpr uint64_t kGraphNodeBytes = 4 << 10;
constexpr uint64_t kLeastFreeBytes = 128 << 20;  // of the device: what graphs leave to everybody else
constexpr uint32_t kGraphNodesOfLayer = 13;
/// The longest conversation for which a model has to leave memory.
constexpr uint32_t kLeastSequenceTokens = 4096;
constexpr uint64_t kHeadRows = 64;  // whose logits are computed together

double gb(uint64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

uint64_t below(uint64_t all, uint64_t taken) {
  return all > taken ? all - taken : 0;
}

uint64_t words_of(const StepLimits& limits) {
  // Tokens, positions and two beginnings of tables; a place or a part of a tile for attention.
  return uint64_t{7} * limits.max_tokens + uint64_t{2} * limits.max_rows * pages_of(limits.max_sequence_tokens);
}

uint32_t chunks_of(const StepLimits& limits) {
  constexpr uint32_t kChunk = kernels::kAttentionChunkTokens;
  return chunk_bucket((limits.max_sequence_tokens + kChunk - 1) / kChunk);
}

}  // namespace

uint64_t DeviceForward::cut_workspace(const ModelConfig& config, uint64_t num_tokens, std::byte* memory,
                                      Workspace& work) {
  const uint64_t t = num_tokens, d = config.hidden, slots = t * config.experts_per_token;
  const uint64_t qkv = config.q_rows() + uint64_t{2} * config.num_kv_heads * config.head_dim;
  DeviceCutter cutter(memory);
  cutter.cut(work.residual, t * d);
  cutter.cut(work.normed, t * padded_cols(config.hidden));
  cutter.cut(work.qkv, t * qkv);
  cutter.cut(work.q, t * config.q_rows());
  cutter.cut(work.attended, t * config.q_rows());
  cutter.cut(work.router_logits, t * config.num_experts);
  cutter.cut(work.indices, slots);
  cutter.cut(work.weights, slots);
  cutter.cut(work.counts, config.num_experts);
  cutter.cut(work.arrived, 1);
  cutter.cut(work.begins, config.num_experts);
  cutter.cut(work.num_tiles, 1);
  cutter.cut(work.tiles, max_expert_tiles(static_cast<uint32_t>(slots), config.num_experts, 8));
  cutter.cut(work.token_of_place, slots);
  cutter.cut(work.place_of_slot, slots);
  cutter.cut(work.inner, slots * padded_cols(config.intermediate));
  cutter.cut(work.contracted, slots * d);
  return cutter.used();
}

uint64_t DeviceForward::beside_weights_bytes(const ModelConfig& config) {
  const StepLimits usual{.max_sequence_tokens = config.max_context};
  KvShape shape;
  for (uint32_t layer = 0; layer < config.num_layers; ++layer)
    ++(config.is_sliding(layer) ? shape.sliding_layers : shape.full_layers);
  shape.window_tokens = config.sliding_window;
  shape.token_bytes_of_a_layer =
      kernels::KvLayout{kernels::KvDtype::kBf16, config.num_kv_heads, config.head_dim}.token_bytes();
  const uint32_t tokens = std::min(kLeastSequenceTokens, config.max_context);
  const uint64_t pages = kScratchPages + shape.pages_of_sequence(tokens, usual.max_tokens);
  const uint64_t rope = uint64_t{config.max_context} * config.head_dim * sizeof(float);
  Workspace work{};
  return cut_workspace(config, usual.max_tokens, nullptr, work) + words_of(usual) * sizeof(uint32_t) + rope +
         kHeadRows * config.vocab_size * sizeof(float) + pages * shape.page_bytes();
}

uint64_t DeviceForward::weight_room_bytes(const ModelConfig& config, uint64_t most_bytes) {
  const uint64_t may_use = std::min(below(most_bytes, DeviceMemory::bytes_in_use()), free_device_bytes());
  return below(may_use, beside_weights_bytes(config));
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

uint64_t DeviceForward::room_bytes() const {
  return std::min(below(most_bytes_, DeviceMemory::bytes_in_use()), free_device_bytes());
}

uint64_t DeviceForward::graph_bytes(uint64_t num_graphs) const {
  return num_graphs * (uint64_t{config_.num_layers} * kGraphNodesOfLayer + 1) * kGraphNodeBytes;
}

uint64_t DeviceForward::free_bytes(const KvShape& shape) const {
  return below(room_bytes(), graph_bytes(warm_steps_.size()) + kScratchPages * shape.page_bytes());
}

uint64_t DeviceForward::partial_bytes(uint64_t num_tokens, uint32_t num_chunks) const {
  return num_tokens * config_.num_kv_heads * num_chunks * kPartialFloats * sizeof(float);
}

Status DeviceForward::reserve(const StepLimits& wanted) {
  constexpr uint32_t kChunk = kernels::kAttentionChunkTokens;
  const StepLimits limits{token_bucket(std::max(wanted.max_tokens, limits_.max_tokens)),
                          token_bucket(std::max(wanted.max_rows, limits_.max_rows)),
                          std::max(chunks_of(wanted) * kChunk, limits_.max_sequence_tokens)};
  if (limits == limits_) return {};
  GOS_TRY_STATUS(stream_.synchronize());
  graphs_.drop();
  limits_ = {0, 0, 0};
  GOS_TRY_STATUS(take_memory(limits));
  limits_ = limits;
  return {};
}

Status DeviceForward::take_memory(const StepLimits& limits) {
  if (limits.max_tokens > work_.max_tokens) {
    Workspace work{};
    const uint64_t bytes = cut_workspace(config_, limits.max_tokens, nullptr, work);
    work_ = Workspace();  // first: both together may not fit
    GOS_TRY(work.memory, DeviceMemory::allocate(bytes));
    cut_workspace(config_, limits.max_tokens, work.memory.data(), work);
    work.max_tokens = limits.max_tokens;
    stream_.fill(work.memory.data(), 0, bytes);  // counts, arrived, and what is behind padded rows
    work_ = std::move(work);
    if (host_experts_) GOS_TRY_STATUS(host_experts_->reserve(limits.max_tokens));
  }
  const uint64_t words = words_of(limits) * sizeof(uint32_t);
  GOS_TRY_STATUS(grow(words_, words));
  if (host_words_.size_bytes() < words) {
    host_words_ = PinnedMemory();
    GOS_TRY(host_words_, PinnedMemory::allocate(words));
  }
  const uint32_t chunks = chunks_of(limits);
  const uint32_t split_tokens = std::min(limits.max_tokens, (kFewBlocks - 1) / config_.num_kv_heads);
  if (chunks == 1) return {};
  return grow(partial_, std::min({partial_bytes(split_tokens, chunks), kMostPartialBytes, room_bytes() / 8}));
}

Status DeviceForward::prepare(const StepLimits& limits) {
  GOS_TRY_STATUS(reserve(limits));
  GOS_TRY_STATUS(head_.prepare(limits.max_rows, stream_));
  const StepLimits steps{std::min(limits.max_tokens, limits.max_rows), limits.max_rows, limits.max_sequence_tokens};
  warm_steps_.clear();
  for (uint32_t chunks = 1; chunks <= chunks_of(steps); chunks = chunk_bucket(chunks + 1))
    for (uint32_t tokens = 1; tokens <= token_bucket(steps.max_tokens); tokens = token_bucket(tokens + 1)) {
      if (tokens > (host_experts_ ? kMostSegmentTokens : kMostGraphTokens)) break;
      shape_step(tokens, chunks, true);
      const std::pair<uint32_t, uint32_t> step{tokens, max_chunks_[0]};
      if (step.second == chunks) warm_steps_.push_back(step);  // else it is that of one chunk
    }
  // An eighth of what is free at most: the rest of the steps are started kernel by kernel.
  const uint64_t most = room_bytes() / 8 / graph_bytes(1);
  if (warm_steps_.size() > most) warm_steps_.resize(most);
  graphs_.keep_at_most(most);
  return {};
}

void DeviceForward::warm_up(const KvMemory& cache) {
  const uint64_t free_before = free_device_bytes();
  for (const auto& [tokens, chunks] : warm_steps_) {
    shape_step(tokens, chunks, true);
    if (!graphs_of(cache)) break;
    if (free_device_bytes() >= kLeastFreeBytes) continue;
    graphs_.keep_at_most(graphs_.size());  // what they take is the driver's secret: a step needs some memory too
    break;
  }
  graph_bytes_taken_ = below(free_before, free_device_bytes());
}

std::string DeviceForward::memory_text() const {
  const uint64_t steps = work_.memory.size_bytes() + words_.size_bytes() + partial_.size_bytes() + rope_.size_bytes();
  std::string text = fmt::format("{:.2f} GB of weights, {:.2f} GB for steps, {:.2f} GB for {} graphs",
                                 gb(weights_.size_bytes()), gb(steps), gb(graph_bytes_taken_), graphs_.size());
  if (sums() != DeviceSums::kPortable)
    text += fmt::format(", products by warpgroups{}", sums() == DeviceSums::kOneRun ? " in one run" : "");
  if (most_bytes_ != ~0ull) text += fmt::format("; {:.2f} GB may be used", gb(most_bytes_));
  if (!graphs_.failure().empty()) text += fmt::format("; steps are started kernel by kernel: {}", graphs_.failure());
  return text;
}

}  // namespace gossamer
