#include "model/model.h"

#include <algorithm>

namespace gossamer {
namespace {

kernels::RopeParams rope_params_of(const ModelConfig& config) {
  kernels::RopeParams params;
  params.head_dim = config.head_dim;
  params.theta = config.rope_theta;
  params.factor = config.rope_factor;
  params.beta_fast = config.rope_beta_fast;
  params.beta_slow = config.rope_beta_slow;
  params.original_context = config.original_context;
  return params;
}

/// The first page that the row needs and does not have; empty where it has all.
std::string missing_page_of(const ModelConfig& config, const BatchRow& row) {
  const uint32_t end = row.start + row.length, pages = pages_of(end);
  if (row.cache.full.size() < pages || row.cache.sliding.size() < pages)
    return fmt::format("ends at position {}, but its sequence has {} pages of {}", end,
                       std::min(row.cache.full.size(), row.cache.sliding.size()), pages);
  const auto is_page = [&](PageId page) { return page < row.cache.memory->num_pages(); };
  const uint32_t first_visible = row.start >= config.sliding_window ? row.start - config.sliding_window + 1 : 0;
  for (uint32_t page = 0; page < pages; ++page) {
    if (!is_page(row.cache.full[page])) return fmt::format("has no full page {}", page);
    const PageId sliding = row.cache.sliding[page];
    // positions before the row must be in a page; the row's own may be in memory of the step
    const bool holds_earlier = page * kPageTokens < row.start && (page + 1) * kPageTokens > first_visible;
    if (holds_earlier ? !is_page(sliding) : sliding != kNoPage && !is_page(sliding))
      return fmt::format("has no sliding page {}", page);
  }
  return {};
}

}  // namespace

Model::Model(const Checkpoint& checkpoint, std::unique_ptr<kernels::Backend> backend, DenseDtype dense)
    : config_(checkpoint.config()),
      dense_(dense),
      weights_(make_weights(checkpoint.tensors())),
      backend_(std::move(backend)),
      rope_(rope_params_of(config_)) {
  uint32_t of_kind[2] = {0, 0};
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer)
    layer_of_group_.push_back(of_kind[config_.is_sliding(layer)]++);
}

Status Model::pack(const ProgressFn& progress) {
  const uint64_t bytes = packed_bytes();
  if (bytes == 0) return {};
  GOS_TRY(BigMemory allocated, BigMemory::allocate(bytes, "the copy of the weights"));
  const auto memory = std::make_shared<BigMemory>(std::move(allocated));
  pack_to({memory, memory->data()}, progress);
  is_private_ = true;
  return {};
}

void Model::pack_to(std::shared_ptr<std::byte> memory, const ProgressFn& progress) {
  pack_weights(weights_, *backend_, dense_, memory.get(), progress);
  packed_memory_ = std::move(memory);
}

void Model::use_packed(std::shared_ptr<const std::byte> memory) {
  use_packed_weights(weights_, *backend_, dense_, memory.get());
  packed_memory_ = std::move(memory);
}

kernels::RopeParams Model::rope_params() const {
  return rope_params_of(config_);
}

Result<KvMemory> Model::allocate_kv(kernels::KvDtype dtype, uint32_t num_pages) const {
  if (elsewhere_) return elsewhere_->allocate_kv(kv_layout(dtype), kv_shape(dtype), num_pages);
  return KvMemory::allocate(kv_layout(dtype), kv_shape(dtype), num_pages);
}

KvShape Model::kv_shape(kernels::KvDtype dtype) const {
  KvShape shape;
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer)
    ++(config_.is_sliding(layer) ? shape.sliding_layers : shape.full_layers);
  shape.window_tokens = config_.sliding_window;
  shape.token_bytes_of_a_layer = kv_layout(dtype).token_bytes();
  return shape;
}

Status ForwardPass::draw(std::span<const DrawWish> /*wishes*/) {
  return make_error(ErrorCode::kUnsupported, "no tokens are drawn where this model computes");
}

Status Model::check(const Batch& batch) const {
  size_t num_tokens = 0;
  std::vector<std::pair<const KvMemory*, PageId>> written;  // the first page of each row
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    const BatchRow& row = batch.rows[i];
    const auto wrong = [&](std::string text) {
      return make_error(ErrorCode::kInvalidInput, "row {} of the batch {}", i, text);
    };
    if (!row.cache.memory) return wrong("has no cache");
    if (row.length == 0) return wrong("has no tokens");
    if (static_cast<uint64_t>(row.start) + row.length > config_.max_context)
      return wrong(fmt::format("ends at position {}, but the context has {}",
                               static_cast<uint64_t>(row.start) + row.length, config_.max_context));
    const std::string missing = missing_page_of(config_, row);
    if (!missing.empty()) return wrong(missing);
    written.emplace_back(row.cache.memory, row.cache.full[row.start / kPageTokens]);
    if (std::count(written.begin(), written.end(), written.back()) > 1) return wrong("writes to a page of another row");
    if (!row.masks.empty() && row.masks.size() != row.logit_offsets.size())
      return wrong(fmt::format("has {} masks for {} positions", row.masks.size(), row.logit_offsets.size()));
    for (size_t a = 0; a < row.logit_offsets.size(); ++a)
      if (row.logit_offsets[a] >= row.length || (a > 0 && row.logit_offsets[a] <= row.logit_offsets[a - 1]))
        return wrong(fmt::format("wants logits at offset {} of {}", row.logit_offsets[a], row.length));
    for (const TokenMask* mask : row.masks)
      if (mask && mask->vocab_size() != config_.vocab_size)
        return wrong(
            fmt::format("has a mask of {} tokens for a vocabulary of {}", mask->vocab_size(), config_.vocab_size));
    if (!row.tops.empty() && row.tops.size() != row.logit_offsets.size())
      return wrong(
          fmt::format("has {} wishes for the best for {} positions", row.tops.size(), row.logit_offsets.size()));
    for (const TopWish& wish : row.tops)
      if (wish.k > 0 && (!wish.top || (!wish.changes.empty() && wish.changes.back().token >= config_.vocab_size)))
        return wrong("wants the best logits without a place for them, or changes those of a token that is not there");
    for (const TopWish& wish : row.tops)
      if (wish.stays && (!elsewhere_ || !elsewhere_->can_draw() || !wish.changes.empty()))
        return wrong("has logits that are to stay where nobody draws from them, or changes them too early");
    if (row.drawn_row && (row.length != 1 || !elsewhere_ || !elsewhere_->can_run_ahead()))
      return wrong("begins with a token that nobody knows yet, where only one that is drawn on a device can be");
    if (row.taps)
      for (uint32_t layer : row.taps->layers)
        if (layer >= config_.num_layers) return wrong(fmt::format("taps layer {} of {}", layer, config_.num_layers));
    num_tokens += row.length;
  }
  if (num_tokens != batch.tokens.size())
    return make_error(ErrorCode::kInvalidInput, "the batch has {} tokens, but its rows name {}", batch.tokens.size(),
                      num_tokens);
  for (TokenId token : batch.tokens)
    if (token >= config_.vocab_size)
      return make_error(ErrorCode::kInvalidInput, "token {} is not one of the model's {} tokens", token,
                        config_.vocab_size);
  return {};
}

}  // namespace gossamer
