/// The forward pass: each function is a box of the paper's figure, one call an operation.

#include <algorithm>
#include <cmath>

#include "model/model.h"

namespace gossamer {

Result<std::span<const float>> Model::forward(const Batch& batch, ForwardTrace* trace) {
  GOS_TRY_STATUS(check(batch));
  if (batch.tokens.empty()) return std::span<const float>{};
  if (elsewhere_) return elsewhere_->forward(batch, trace);
  num_tokens_ = static_cast<uint32_t>(batch.tokens.size());
  positions_.clear();
  for (const BatchRow& row : batch.rows)
    for (uint32_t i = 0; i < row.length; ++i) positions_.push_back(row.start + i);
  prepare_rows(batch);
  rope_.reserve(*std::max_element(positions_.begin(), positions_.end()) + 1);
  if (trace) trace->layers.assign(config_.num_layers, {});

  residual_.resize(static_cast<size_t>(num_tokens_) * config_.hidden);
  normed_.resize(residual_.size());
  backend_->embed({weights_.embedding, batch.tokens, residual_.data()});
  for (uint32_t layer = 0; layer < config_.num_layers; ++layer) {
    attention_layer(batch, layer, trace);
    experts_layer(layer, trace);
    fill_taps(batch, layer);
  }
  if (trace) {
    trace->final_norm.resize(residual_.size());
    backend_->rmsnorm({residual_.data(), weights_.final_norm.data(), config_.rms_norm_eps, num_tokens_, config_.hidden,
                       trace->final_norm.data()});
  }
  return unembed(batch);
}

/// residual += o(attention(rope(q), rope(k), v)) of norm(residual).
void Model::attention_layer(const Batch& batch, uint32_t layer, ForwardTrace* trace) {
  const LayerWeights& w = weights_.layers[layer];
  const uint32_t q_width = config_.num_heads * config_.head_dim, kv_width = config_.num_kv_heads * config_.head_dim;
  const uint64_t qkv_width = q_width + 2 * kv_width;
  qkv_.resize(num_tokens_ * qkv_width);
  float* q = qkv_.data();
  float* k = q + q_width;
  float* v = k + kv_width;

  backend_->rmsnorm(
      {residual_.data(), w.attn_norm.data(), config_.rms_norm_eps, num_tokens_, config_.hidden, normed_.data()});
  const kernels::MatmulArgs projections[] = {
      {w.q, w.q_bias.data(), normed_.data(), num_tokens_, q, qkv_width, false},
      {w.k, w.k_bias.data(), normed_.data(), num_tokens_, k, qkv_width, false},
      {w.v, w.v_bias.data(), normed_.data(), num_tokens_, v, qkv_width, false},
  };
  backend_->matmul_together(projections);
  // q and k lie side by side: their heads rotate in one call.
  backend_->rope({q, qkv_width, num_tokens_, config_.num_heads + config_.num_kv_heads, config_.head_dim,
                  positions_.data(), rope_.cos(), rope_.sin()});
  locate_blocks(batch, layer);
  const kernels::KvLayout& kv = batch.rows.front().cache.memory->layout();
  backend_->store_kv({k, v, qkv_width, cache_rows_, kv});

  attended_.resize(static_cast<size_t>(num_tokens_) * q_width);
  kernels::AttentionArgs attention{};
  attention.q = q;
  attention.q_stride = qkv_width;
  attention.rows = cache_rows_;
  attention.kv = kv;
  attention.sinks = w.sinks.data();
  attention.num_heads = config_.num_heads;
  attention.window = config_.is_sliding(layer) ? config_.sliding_window : 0;
  attention.scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
  attention.out = attended_.data();
  backend_->attention(attention);
  backend_->matmul({w.o, w.o_bias.data(), attended_.data(), num_tokens_, residual_.data(), config_.hidden, true});
  if (trace) trace->layers[layer].after_attention = residual_;
}

/// Room for the block pointers of every row, and for the sliding blocks that no page keeps: a long chunk of a prompt
/// needs only its end afterwards. One layer's worth of them is enough, since a layer is done with before the next
/// begins.
void Model::prepare_rows(const Batch& batch) {
  size_t num_blocks = 0, num_scratch = 0;
  for (const BatchRow& row : batch.rows) {
    const uint32_t pages = pages_of(row.start + row.length);
    num_blocks += pages;
    for (uint32_t page = row.start / kPageTokens; page < pages; ++page)
      num_scratch += row.cache.sliding[page] == kNoPage;
  }
  blocks_.resize(num_blocks);
  const uint64_t scratch_bytes = num_scratch * batch.rows.front().cache.memory->layout().block_bytes();
  if (scratch_blocks_.size() < scratch_bytes) scratch_blocks_.resize(scratch_bytes);
  cache_rows_.clear();
  std::byte** blocks = blocks_.data();
  for (const BatchRow& row : batch.rows) {
    cache_rows_.push_back({blocks, row.start, row.length});
    blocks += pages_of(row.start + row.length);
  }
}

/// Where the pages of every row are in this layer.
void Model::locate_blocks(const Batch& batch, uint32_t layer) {
  const bool sliding = config_.is_sliding(layer);
  std::byte** block = blocks_.data();
  std::byte* scratch = scratch_blocks_.data();
  for (const BatchRow& row : batch.rows) {
    const KvMemory& memory = *row.cache.memory;
    const std::span<const PageId> table = sliding ? row.cache.sliding : row.cache.full;
    const uint32_t pages = pages_of(row.start + row.length);
    for (uint32_t page = 0; page < pages; ++page, ++block) {
      if (table[page] != kNoPage) {
        *block = memory.block(table[page], layer_of_group_[layer]);
      } else if (page >= row.start / kPageTokens) {
        *block = scratch;
        scratch += memory.layout().block_bytes();
      } else {
        *block = nullptr;  // before the window
      }
    }
  }
}

/// residual += the four chosen experts of norm(residual).
void Model::experts_layer(uint32_t layer, ForwardTrace* trace) {
  const LayerWeights& w = weights_.layers[layer];
  const uint32_t active = config_.experts_per_token;
  router_logits_.resize(static_cast<size_t>(num_tokens_) * config_.num_experts);
  router_indices_.resize(static_cast<size_t>(num_tokens_) * active);
  router_weights_.resize(router_indices_.size());

  backend_->rmsnorm(
      {residual_.data(), w.mlp_norm.data(), config_.rms_norm_eps, num_tokens_, config_.hidden, normed_.data()});
  backend_->matmul(
      {w.router, w.router_bias.data(), normed_.data(), num_tokens_, router_logits_.data(), config_.num_experts, false});
  backend_->router({router_logits_.data(), num_tokens_, config_.num_experts, active, router_indices_.data(),
                    router_weights_.data()});
  kernels::ExpertsArgs experts{};
  experts.x = normed_.data();
  experts.num_tokens = num_tokens_;
  experts.gate = w.gate;
  experts.up = w.up;
  experts.down = w.down;
  experts.gate_bias = w.gate_bias.data();
  experts.up_bias = w.up_bias.data();
  experts.down_bias = w.down_bias.data();
  experts.active = active;
  experts.indices = router_indices_.data();
  experts.weights = router_weights_.data();
  experts.limit = config_.swiglu_limit;
  experts.out = residual_.data();
  backend_->experts(experts);
  if (trace) {
    ForwardTrace::Layer& seen = trace->layers[layer];
    seen.hidden = residual_;
    seen.router_logits = router_logits_;
    seen.router_indices = router_indices_;
    seen.router_weights = router_weights_;
  }
}

void Model::fill_taps(const Batch& batch, uint32_t layer) {
  const float* rows = residual_.data();
  for (const BatchRow& row : batch.rows) {
    const size_t floats = static_cast<size_t>(row.length) * config_.hidden;
    if (row.taps) {
      row.taps->hidden.resize(row.taps->layers.size());
      for (size_t tap = 0; tap < row.taps->layers.size(); ++tap)
        if (row.taps->layers[tap] == layer) row.taps->hidden[tap].assign(rows, rows + floats);
    }
    rows += floats;
  }
}

/// The final norm and the head, for the positions that were asked for: all logits of them, or the best.
std::span<const float> Model::unembed(const Batch& batch) {
  const uint32_t hidden = config_.hidden;
  asked_.clear();
  unembed_rows_.clear();
  size_t num_full = 0;
  const float* rows = residual_.data();
  for (const BatchRow& row : batch.rows) {
    for (size_t a = 0; a < row.logit_offsets.size(); ++a) {
      const float* at = rows + static_cast<size_t>(row.logit_offsets[a]) * hidden;
      asked_.insert(asked_.end(), at, at + hidden);
      kernels::UnembedRow& asked = unembed_rows_.emplace_back();
      if (const TokenMask* mask = row.masks.empty() ? nullptr : row.masks[a]) asked.allowed = mask->words().data();
      const TopWish wish = row.tops.empty() ? TopWish() : row.tops[a];
      num_full += wish.k == 0;
      if (wish.k == 0) continue;
      asked.top = wish.top;
      asked.top_k = wish.k;
      asked.wants_log_sum_exp = wish.wants_log_sum_exp;
      asked.changes = wish.changes;
    }
    rows += static_cast<size_t>(row.length) * hidden;
  }
  logits_.resize(num_full * config_.vocab_size);
  if (unembed_rows_.empty()) return logits_;
  float* logits = logits_.data();
  for (kernels::UnembedRow& asked : unembed_rows_)
    if (!asked.top) {
      asked.logits = logits;
      logits += config_.vocab_size;
    }
  backend_->rmsnorm({asked_.data(), weights_.final_norm.data(), config_.rms_norm_eps,
                     static_cast<uint32_t>(unembed_rows_.size()), hidden, asked_.data()});
  backend_->unembed({weights_.lm_head, asked_.data(), unembed_rows_});
  return logits_;
}

}  // namespace gossamer
