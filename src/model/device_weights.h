#pragma once

#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/model_config.h"
#include "kernels/cuda/runtime.h"
#include "model/expert_placement.h"
#include "model/synthetic_model.h"
#include "model/weights.h"

namespace gossamer {

/// A matrix in strips on the device; of experts, the first one's.
struct DeviceMatrix {
  kernels::cuda::StripShape shape;
  const std::byte* strips = nullptr;
};

/// LayerWeights as the device keeps them. Biases of products are in their strips.
struct DeviceLayer {
  const float* attn_norm;  // [D]
  DeviceMatrix qkv;        // [(H + 2G) * Dh, D]
  const float* sinks;      // [H]
  DeviceMatrix o;          // [D, H * Dh]
  const float* mlp_norm;   // [D]
  const float* router;     // [E, D]
  const float* router_bias;
  DeviceMatrix gate_up;  // of every expert that is on the device [2F, D], gate and up side by side
  DeviceMatrix down;     // of the same [D, F]
};

/// Bytes that weights take on a device.
struct DeviceWeightSizes {
  uint64_t dense_bytes = 0;            ///< what every token reads: all but the two below, gaps included
  uint64_t embedding_bytes = 0;        ///< of which a token reads a row
  std::vector<uint64_t> expert_bytes;  ///< [layers] an expert of that layer

  uint64_t all_bytes(uint32_t num_experts) const {
    uint64_t bytes = dense_bytes + embedding_bytes;
    for (const uint64_t each : expert_bytes) bytes += each * num_experts;
    return bytes;
  }
};

/// The weights of a model on the device in use, each once: packed on the host's threads, layer by layer. Experts that
/// the placement leaves to the host are not among them, and where it leaves any the embedding is not: its rows are sent
/// with the tokens, and its room is for experts.
class DeviceWeights {
 public:
  /// Errors: weights that no kernel takes.
  static Result<DeviceWeightSizes> sizes(const Weights& weights);
  /// `weights` are views of the checkpoint. A layer's experts are packed in the placement's order. Errors: weights that
  /// no kernel takes, no memory on the device.
  static Result<DeviceWeights> upload(const ModelConfig& config, const Weights& weights, ThreadPool& threads,
                                      const ProgressFn& progress, const ExpertPlacement& placement);
  /// Random weights with the shapes of `config`, made on the device: no file, no copy from the host. Errors: no memory
  /// on the device.
  static Result<DeviceWeights> synthetic(const ModelConfig& config, const SyntheticModel& model,
                                         const ProgressFn& progress);
  /// Of such a model, without making it.
  static uint64_t synthetic_bytes(const ModelConfig& config, const SyntheticModel& model);

  const DeviceLayer& layer(uint32_t index) const { return layers_[index]; }
  const DeviceMatrix& lm_head() const { return lm_head_; }
  const float* final_norm() const { return final_norm_; }
  /// The embedding as the file has it, rows without gaps; null where it is not on the device.
  const std::byte* embedding() const { return embedding_; }
  uint64_t embedding_row_bytes() const { return embedding_row_bytes_; }
  Dtype embedding_dtype() const { return embedding_dtype_; }
  uint64_t size_bytes() const;

 private:
  std::vector<kernels::cuda::DeviceMemory> memory_;
  std::vector<DeviceLayer> layers_;
  DeviceMatrix lm_head_;
  const float* final_norm_ = nullptr;
  const std::byte* embedding_ = nullptr;
  uint64_t embedding_row_bytes_ = 0;
  Dtype embedding_dtype_ = Dtype::kBf16;
};

}  // namespace gossamer
