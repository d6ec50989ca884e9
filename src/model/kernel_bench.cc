#include "model/kernel_bench.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/cuda/synthetic.h"
#include "kernels/rope_table.h"
#include "kv/kv_shape.h"

namespace gossamer {

using namespace kernels::cuda;

namespace {

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kMostTurns = 64;  // of the cache

/// What draws differ in: the largest, any at temperature 1, and those of the likeliest that make up nine tenths.
constexpr kernels::DrawRule kDrawRules[] = {
    {.scale = 0}, {.scale = 1, .uniform = 0.5}, {.scale = 1, .top_p = 0.9f, .uniform = 0.5}};

/// The last `length` tokens of a sequence of `end`.
BatchRow end_of_prompt(uint32_t length, uint32_t end) {
  BatchRow row;
  row.length = std::min(length, end);
  row.start = end - row.length;
  return row;
}

}  // namespace

KernelBench::KernelBench(const ModelConfig& config, const DeviceWeights& weights, const KernelRatesOptions& options,
                         uint32_t rows, uint32_t num_layers, Sums sums, const DeviceStream& stream)
    : config_(config),
      weights_(weights),
      options_(options),
      rows_(rows),
      slots_(rows * config.experts_per_token),
      num_layers_(num_layers),
      sums_(sums),
      layout_{options.kv_dtype, config.num_kv_heads, kHeadDim},
      pages_(pages_of(uint64_t{options.context} + 1)),
      prompt_(end_of_prompt(rows, options.context + 1)),
      prompt_plan_(plan_attention({&prompt_, 1})),
      stream_(stream) {
  const uint64_t bytes_of_turn = uint64_t{rows} * pages_ * layout_.block_bytes();
  turns_ = static_cast<uint32_t>(std::clamp<uint64_t>(2 * options.cache_bytes / bytes_of_turn + 1, 1, kMostTurns));
}

Status KernelBench::make() {
  const auto cut_all = [this](std::byte* memory) {
    DeviceCutter cutter(memory);
    cut(cutter);
    return cutter.used();
  };
  GOS_TRY(memory_, DeviceMemory::allocate(cut_all(nullptr)));
  cut_all(memory_.data());
  // As numbers of any kind these are harmless: in float32 and in halves alike.
  make_up_bf16({memory_.data(), memory_.size_bytes() / 2, {1, 1}, 0, 1}, stream_.get());
  make_up_floats({residual_, uint64_t{rows_} * config_.hidden, {1, 2}, 0, 1}, stream_.get());
  make_up_floats({qkv_, uint64_t{rows_} * qkv_rows(), {1, 3}, 0, 1}, stream_.get());
  make_up_bf16({cache_, cache_bytes() / 2, {1, 4}, 0, options_.kv_dtype == kernels::KvDtype::kInt8 ? 1 / 127.f : 1.f},
               stream_.get());
  stream_.fill(counts_, 0, config_.num_experts * sizeof(uint32_t));
  stream_.fill(arrived_, 0, sizeof(uint32_t));
  send_tokens();
  send_prompt();
  for (MadePlan& plan : plans_) send_plan(plan);
  return stream_.synchronize();
}

uint32_t KernelBench::tile_rows() const {
  return tile_rows_for(slots_ / std::min(config_.num_experts, slots_), sums_);
}

uint32_t KernelBench::chunks() const {
  return (options_.context + kernels::kAttentionChunkTokens) / kernels::kAttentionChunkTokens;
}

uint32_t KernelBench::chunks_of(bool sliding) const {
  const uint32_t of_window =
      (config_.sliding_window + 2 * kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens;
  return sliding ? std::min(chunks(), of_window) : chunks();
}

uint64_t KernelBench::partial_floats() const {
  return std::max(uint64_t{rows_} * config_.num_kv_heads * chunks() * kPartialFloats,
                  prompt_plan_.partial_floats(config_.num_kv_heads, chunks()));
}

bool KernelBench::is_few() const {
  return rows_ <= kFewTokens && options_.kv_dtype == kernels::KvDtype::kBf16 &&
         config_.experts_per_token <= kMostActive;
}

void KernelBench::cut(DeviceCutter& cutter) {
  const uint64_t t = rows_, d = config_.hidden, most_tiles = max_expert_tiles(slots_, config_.num_experts, tile_rows());
  cutter.cut(residual_, t * d);
  cutter.cut(normed_, t * padded());
  cutter.cut(qkv_, t * qkv_rows());
  cutter.cut(q_, t * config_.q_rows());
  cutter.cut(attended_, t * config_.q_rows());
  cutter.cut(router_logits_, t * config_.num_experts);
  cutter.cut(indices_, slots_);
  cutter.cut(weights_of_slots_, slots_);
  cutter.cut(counts_, config_.num_experts);
  cutter.cut(arrived_, 1);
  cutter.cut(begins_, config_.num_experts);
  cutter.cut(inner_, uint64_t{slots_} * inner());
  cutter.cut(contracted_, slots_ * d);
  cutter.cut(logits_, t * config_.vocab_size);
  cutter.cut(tokens_, t);
  cutter.cut(positions_, t);
  cutter.cut(table_begins_, t);
  cutter.cut(tables_, t * pages_ * turns_);
  cutter.cut(prompt_positions_, t);
  cutter.cut(prompt_begins_, t);
  cutter.cut(prompt_tiles_, prompt_plan_.tiles.size());
  cutter.cut(choice_rows_, t);
  cutter.cut(best_, t);
  cutter.cut(num_best_, t);
  cutter.cut(log_sum_exp_, t);
  cutter.cut(partial_, partial_floats());
  cutter.cut(draw_rows_, t * std::size(kDrawRules));
  cutter.cut(draw_slices_, t * draw_slices(config_.vocab_size));
  cutter.cut(draw_cuts_, t);
  cutter.cut(draw_sums_, t * kDrawSums * draw_stretches(config_.vocab_size));
  cutter.cut(drawn_, t);
  cutter.cut(cos_, uint64_t{options_.context + 1} * kHeadDim / 2);
  cutter.cut(sin_, uint64_t{options_.context + 1} * kHeadDim / 2);
  cutter.cut(cache_, cache_bytes());
  plans_.resize(num_layers_);
  plans_.push_back({});  // of the kernels that plan
  for (MadePlan& plan : plans_) {
    cutter.cut(plan.tiles, most_tiles);
    cutter.cut(plan.num_tiles, 1);
    cutter.cut(plan.token_of_place, slots_);
    cutter.cut(plan.place_of_slot, slots_);
  }
}

template <class T>
void KernelBench::send(T* to, const std::vector<T>& values) {
  if (values.empty()) return;  // a prompt of one token has no tiles
  sent_.emplace_back(values.size() * sizeof(T));
  std::memcpy(sent_.back().data(), values.data(), sent_.back().size());
  stream_.copy_to_device(to, sent_.back().data(), sent_.back().size());
}

void KernelBench::send_tokens() {
  std::vector<uint32_t> tokens(rows_), begins(rows_), pages(size_t{rows_} * pages_ * turns_);
  for (uint32_t row = 0; row < rows_; ++row) {
    tokens[row] = static_cast<uint32_t>(random_() % config_.vocab_size);
    begins[row] = row * pages_;
  }
  std::iota(pages.begin(), pages.end(), 0u);
  send(tokens_, tokens);
  send(table_begins_, begins);
  send(tables_, pages);
  send(positions_, std::vector<uint32_t>(rows_, options_.context));
  send(choice_rows_, std::vector<ChoiceRow>(rows_, ChoiceRow{~0u, 0, 0, 1, 0}));
  std::vector<DrawRow> draws;
  for (const kernels::DrawRule& rule : kDrawRules)
    for (uint32_t row = 0; row < rows_; ++row) draws.push_back({row, ~0u, 0, 0, rule});
  send(draw_rows_, draws);
  kernels::RopeTable rope(kernels::RopeParams{});
  rope.reserve(options_.context + 1);
  const size_t numbers = size_t{options_.context + 1} * kHeadDim / 2;
  send(cos_, std::vector<float>(rope.cos(), rope.cos() + numbers));
  send(sin_, std::vector<float>(rope.sin(), rope.sin() + numbers));
}

void KernelBench::send_prompt() {
  std::vector<uint32_t> positions(prompt_.length);
  std::iota(positions.begin(), positions.end(), prompt_.start);
  send(prompt_positions_, positions);
  send(prompt_begins_, std::vector<uint32_t>(prompt_.length, 0));
  send(prompt_tiles_, prompt_plan_.tiles);
}

/// Every token chooses experts at random; what follows from it comes from the kernels themselves.
void KernelBench::send_plan(MadePlan& plan) {
  std::vector<uint32_t> experts(config_.num_experts), indices, counts(config_.num_experts);
  std::iota(experts.begin(), experts.end(), 0u);
  for (uint32_t row = 0; row < rows_; ++row) {
    for (uint32_t i = 0; i < config_.experts_per_token; ++i)
      std::swap(experts[i], experts[i + random_() % (config_.num_experts - i)]);
    indices.insert(indices.end(), experts.begin(), experts.begin() + config_.experts_per_token);
  }
  for (const uint32_t expert : indices) ++counts[expert];
  plan.experts = static_cast<double>(config_.num_experts - std::count(counts.begin(), counts.end(), 0u));
  send(indices_, indices);
  send(counts_, counts);
  plan_experts(plan_op(plan), stream_.get());
}

PlanOp KernelBench::plan_op(const MadePlan& plan) const {
  PlanOp op{};
  op.indices = indices_;
  op.num_slots = slots_;
  op.experts = config_.num_experts;
  op.active = config_.experts_per_token;
  op.tile_rows = tile_rows();
  op.counts = counts_;
  op.begins = begins_;
  op.tiles = plan.tiles;
  op.num_tiles = plan.num_tiles;
  op.token_of_place = plan.token_of_place;
  op.place_of_slot = plan.place_of_slot;
  return op;
}

}  // namespace gossamer
