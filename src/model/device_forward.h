#pragma once

#include <memory>
#include <vector>

#include "kernels/rope_table.h"
#include "model/device_host_experts.h"
#include "model/device_limits.h"
#include "model/device_weights.h"
#include "model/forward_pass.h"

namespace gossamer {

/// Model::forward() on a GPU: the same batch in, the same answers out. Tokens, positions and block tables go there in
/// one copy; what was asked for comes back; in between the host waits for nothing.
class DeviceForward : public ForwardPass {
 public:
  /// Puts the weights on the device in use, or as many experts as the limits leave room for: `weights` and `threads`
  /// outlive what is made then. Errors: shapes or weights that no kernel takes, no memory, limits below what every
  /// token needs.
  static Result<std::unique_ptr<DeviceForward>> make(const ModelConfig& config, const Weights& weights,
                                                     const kernels::RopeParams& rope, ThreadPool& threads,
                                                     const ProgressFn& progress, const DeviceLimits& limits = {});
  /// Waits for the device, which may still read what the host sent it.
  ~DeviceForward() override;

  /// Pages of a cache on the device, and some more in which a long chunk of a prompt keeps what nobody needs later.
  Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                               uint32_t num_pages) const override;

  /// See Model::forward(); the batch was checked. Errors also: the device has no memory for a batch of that size, or
  /// failed.
  Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) override;

  uint64_t free_bytes() const override;
  Status prepare(uint32_t max_tokens) override { return reserve(max_tokens); }
  std::string placement() const override;

  /// Whether the host computes some experts: then it waits for the device once in every layer, and no graph holds a
  /// step.
  bool has_host_experts() const { return host_experts_ != nullptr; }
  const DeviceWeights& weights() const { return weights_; }
  /// Null: all experts are on the device.
  const DeviceHostExperts* host_experts() const { return host_experts_.get(); }

 private:
  /// What a batch needs beside weights and cache. It grows with the batch and is kept.
  struct Workspace {
    uint32_t max_tokens = 0;
    kernels::cuda::DeviceMemory memory;
    float* residual;       // [T, D]
    uint16_t* normed;      // [T, padded D]
    float* qkv;            // [T, (H + 2G) * Dh]
    uint16_t* q;           // [T, H * Dh]
    uint16_t* attended;    // [T, H * Dh]
    float* router_logits;  // [T, E]
    uint32_t* indices;     // [T, A]
    float* weights;        // [T, A]
    uint32_t* counts;      // [E]
    uint32_t* begins;      // [E]
    uint32_t* num_tiles;   // [1]
    kernels::cuda::ExpertTile* tiles;
    uint32_t* token_of_place;  // [T * A]
    uint32_t* place_of_slot;   // [T * A]
    uint16_t* inner;           // [T * A, padded F]
    float* contracted;         // [T * A, D]
  };

  DeviceForward(const ModelConfig& config, DeviceWeights weights, kernels::cuda::DeviceStream stream)
      : config_(config), weights_(std::move(weights)), stream_(std::move(stream)) {}

  Status reserve(uint32_t num_tokens);
  Status send_batch(const Batch& batch);
  /// out [num_rows, padded D] = rows of the residual stream, normed and rounded as `matrix` takes them: those that
  /// `rows` (on the device) names, or where it is null, all in order.
  void norm_for(const DeviceMatrix& matrix, const float* weight, const uint32_t* rows, uint32_t num_rows,
                uint16_t* out);
  /// out [num_rows, N] = or += x [num_rows, x_stride] . matrix^T + bias.
  void multiply(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride, uint32_t num_rows,
                kernels::cuda::Finish finish, float* out);
  void embed(const Batch& batch);
  void attention_layer(const Batch& batch, uint32_t layer);
  Status experts_layer(uint32_t layer);
  Status take_trace(ForwardTrace& trace, uint32_t layer, bool after_attention);
  Status fill_taps(const Batch& batch, uint32_t layer);
  Result<std::span<const float>> unembed(const Batch& batch);

  ModelConfig config_;
  DeviceWeights weights_;
  kernels::cuda::DeviceStream stream_;
  std::unique_ptr<DeviceHostExperts> host_experts_;
  kernels::WeightRows host_embedding_;  // with host_experts_: the view of the checkpoint
  std::vector<float> embedded_;
  kernels::cuda::DeviceMemory rope_;  // cos, then sin, [context, Dh / 2]
  std::vector<uint32_t> layer_of_group_;
  Workspace work_{};

  // Of the batch in work.
  uint32_t num_tokens_ = 0;
  uint32_t max_chunks_[2] = {1, 1};  // full, sliding
  std::vector<uint32_t> host_words_;
  kernels::cuda::DeviceMemory words_;  // what send_batch() sent
  const uint32_t* tokens_ = nullptr;
  kernels::cuda::BatchPlaces places_[2] = {};  // full, sliding
  kernels::cuda::DeviceMemory partial_;
  kernels::cuda::DeviceMemory head_;  // of unembed()
  std::vector<float> logits_;
};

}  // namespace gossamer
