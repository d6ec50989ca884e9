#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "kernels/backend.h"
#include "kernels/rope_table.h"
#include "model/forward_pass.h"
#include "model/packed_weights.h"
#include "model/weights.h"

namespace gossamer {

/// gpt-oss: a batch of tokens in, logits out. Starts no threads, knows no sampling, decides no policy.
class Model {
 public:
  /// Views into `checkpoint`, which must outlive the model.
  Model(const Checkpoint& checkpoint, std::unique_ptr<kernels::Backend> backend,
        DenseDtype dense = DenseDtype::kAsStored);

  const ModelConfig& config() const { return config_; }
  const kernels::Backend& backend() const { return *backend_; }

  /// Bytes of a copy of the weights in the order that the backend likes best; 0 where it has no such wish.
  uint64_t packed_bytes() const { return gossamer::packed_bytes(weights_, *backend_, dense_); }
  std::string packed_layout_id() const {
    return backend_->packed_layout_id() + (dense_ == DenseDtype::kInt8 ? "-dense-int8" : "");
  }
  /// Makes that copy and computes with it from then on: faster, the same bits (but for DenseDtype::kInt8, which takes
  /// effect with it). Errors: no memory; nothing has changed
  /// then.
  Status pack(const ProgressFn& progress);
  /// The same in memory that the caller has (packed_bytes(), aligned to 64).
  void pack_to(std::shared_ptr<std::byte> memory, const ProgressFn& progress);
  /// Computes with a copy that was made before.
  void use_packed(std::shared_ptr<const std::byte> memory);
  /// Whether the weights are in private memory, huge pages where the system gives them, rather than in a mapped file.
  bool is_private() const { return is_private_; }

  /// Computes there from now on.
  void compute_on(std::unique_ptr<ForwardPass> elsewhere) { elsewhere_ = std::move(elsewhere); }
  /// Null: the backend computes, in memory of the host.
  ForwardPass* elsewhere() const { return elsewhere_.get(); }
  const Weights& weights() const { return weights_; }
  kernels::RopeParams rope_params() const;

  /// How the cache of this model looks, in bytes and in pages.
  kernels::KvLayout kv_layout(kernels::KvDtype dtype) const { return {dtype, config_.num_kv_heads, config_.head_dim}; }
  KvShape kv_shape(kernels::KvDtype dtype) const;
  /// Pages of a cache, where the model computes. Errors: as KvMemory::allocate.
  Result<KvMemory> allocate_kv(kernels::KvDtype dtype, uint32_t num_pages) const;

  /// Computes every row of the batch and writes its keys and values to its pages. Gives the logits of all positions
  /// that asked for all of them, in the order of the rows: [asked, V]; those that asked for the best have them in their
  /// wishes, and those that stay wait for ForwardPass::draw(). The span is valid until the next call. `trace`, where
  /// not null, gets what happened inside. Memory for activations grows with the tokens of a batch; callers chunk long
  /// prompts (kPrefillChunkTokens is a good size). A row's bits do not depend on what else is in the batch, nor on how
  /// a prompt was cut into chunks. Errors (nothing is computed then): a token id the model does not have, a row that
  /// ends beyond the context or has no page where it needs one, offsets or masks that do not fit.
  Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace = nullptr);

 private:
  Status check(const Batch& batch) const;
  void attention_layer(const Batch& batch, uint32_t layer, ForwardTrace* trace);
  void experts_layer(uint32_t layer, ForwardTrace* trace);
  void prepare_rows(const Batch& batch);
  void locate_blocks(const Batch& batch, uint32_t layer);
  void fill_taps(const Batch& batch, uint32_t layer);
  std::span<const float> unembed(const Batch& batch);

  ModelConfig config_;
  DenseDtype dense_;
  std::shared_ptr<const std::byte> packed_memory_;  // behind some of weights_
  bool is_private_ = false;
  Weights weights_;
  std::unique_ptr<kernels::Backend> backend_;
  std::unique_ptr<ForwardPass> elsewhere_;  // null: the backend computes
  kernels::RopeTable rope_;
  std::vector<uint32_t> layer_of_group_;  // [layers] each layer's number among those of its kind

  // Activations of the batch in work; kept between calls.
  uint32_t num_tokens_ = 0;                        // T
  std::vector<uint32_t> positions_;                // [T]
  std::vector<float> residual_;                    // [T, D]
  std::vector<float> normed_;                      // [T, D]
  std::vector<float> qkv_;                         // [T, (H + 2G) * Dh]
  std::vector<float> attended_;                    // [T, H * Dh]
  std::vector<kernels::CacheRow> cache_rows_;      // [rows]
  std::vector<std::byte*> blocks_;                 // of all rows, one after the other, in the layer at hand
  std::vector<std::byte> scratch_blocks_;          // sliding blocks that no page keeps, in the layer at hand
  std::vector<float> router_logits_;               // [T, E]
  std::vector<uint32_t> router_indices_;           // [T, A]
  std::vector<float> router_weights_;              // [T, A]
  std::vector<float> asked_;                       // [asked, D]
  std::vector<kernels::UnembedRow> unembed_rows_;  // [asked]
  std::vector<float> logits_;                      // [asked for all logits, V]
};

/// Prompts are computed in chunks of this many tokens: enough for every expert to be read once for many tokens, few
/// enough that somebody who cancels does not wait long.
inline constexpr uint32_t kPrefillChunkTokens = 128;

}  // namespace gossamer
