#include "model/model.h"

#include <unordered_set>

namespace gossamer {
namespace {

kernels::RopeParams rope_params(const ModelConfig& config) {
  kernels::RopeParams params;
  params.head_dim = config.head_dim;
  params.theta = config.rope_theta;
  params.factor = config.rope_factor;
  params.beta_fast = config.rope_beta_fast;
  params.beta_slow = config.rope_beta_slow;
  params.original_context = config.original_context;
  return params;
}

}  // namespace

Model::Model(const Checkpoint& checkpoint, std::unique_ptr<kernels::Backend> backend)
    : config_(checkpoint.config()),
      weights_(make_weights(checkpoint.tensors())),
      backend_(std::move(backend)),
      rope_(rope_params(config_)) {}

Status Model::check(const Batch& batch) const {
  size_t num_tokens = 0;
  std::unordered_set<const SequenceCache*> seen;
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    const BatchRow& row = batch.rows[i];
    const auto wrong = [&](std::string text) {
      return make_error(ErrorCode::kInvalidInput, "row {} of the batch {}", i, text);
    };
    if (!row.sequence) return wrong("names no sequence");
    if (!seen.insert(row.sequence).second) return wrong("has the sequence of another row");
    if (row.length == 0) return wrong("has no tokens");
    if (row.start > row.sequence->num_tokens())
      return wrong(
          fmt::format("begins at position {}, but its sequence has {} tokens", row.start, row.sequence->num_tokens()));
    if (static_cast<uint64_t>(row.start) + row.length > config_.max_context)
      return wrong(fmt::format("ends at position {}, but the context has {}",
                               static_cast<uint64_t>(row.start) + row.length, config_.max_context));
    if (!row.masks.empty() && row.masks.size() != row.logit_offsets.size())
      return wrong(fmt::format("has {} masks for {} positions", row.masks.size(), row.logit_offsets.size()));
    for (size_t a = 0; a < row.logit_offsets.size(); ++a)
      if (row.logit_offsets[a] >= row.length || (a > 0 && row.logit_offsets[a] <= row.logit_offsets[a - 1]))
        return wrong(fmt::format("wants logits at offset {} of {}", row.logit_offsets[a], row.length));
    for (const TokenMask* mask : row.masks)
      if (mask && mask->vocab_size() != config_.vocab_size)
        return wrong(
            fmt::format("has a mask of {} tokens for a vocabulary of {}", mask->vocab_size(), config_.vocab_size));
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
