#pragma once

#include <memory>
#include <vector>

#include "base/big_memory.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "kernels/backend.h"
#include "kernels/expert_plan.h"
#include "model/expert_placement.h"
#include "model/weights.h"

namespace gossamer {

/// The experts that are in the host's memory, computed there by the processor's kernels for rows that a device gave.
/// Nothing of a token's bits depends on which tokens are computed with it.
class HostExperts {
 public:
  /// What a device has of tokens: normed rows in the 16 bits in which its own experts meet them.
  struct Rows {
    const uint16_t* data;  // [T, stride]
    uint32_t stride;       // elements
    Dtype dtype;           // kF16 or kBf16
  };

  /// `weights` are views of the checkpoint, `threads` are those of `backend`; both outlive this. Copies the host's
  /// experts into the order that the backend likes best where `may_pack` and memory is free for it, and lets go of the
  /// file behind all experts; else they are read as they lie there. `backend` computes the same bits for a row alone
  /// and in any batch: Precision::kExact or kF32.
  HostExperts(const Weights& weights, const ExpertPlacement& placement, float swiglu_limit,
              std::unique_ptr<kernels::Backend> backend, ThreadPool& threads, bool may_pack,
              const ProgressFn& progress);

  /// Rows [n, D] of those of `choices` [T, A] that are experts of the host, without their weights: experts ascending,
  /// the choices of one in order. `out` has room for all choices. Gives n.
  uint32_t compute(uint32_t layer, const Rows& x, std::span<const uint32_t> choices, uint32_t active, float* out);

  /// Bytes of the experts here, as the kernels read them.
  uint64_t size_bytes() const { return size_bytes_; }
  /// Whether they are in memory of their own rather than in that of a mapped file.
  bool is_packed() const { return packed_.size_bytes() > 0; }

 private:
  static constexpr uint32_t kNotHere = ~0u;
  struct Layer {
    kernels::ExpertRows gate, up, down;
    const float *gate_bias, *up_bias, *down_bias;
    std::vector<uint32_t> number_of;  // [E] in the rows and biases above, or kNotHere
    std::vector<float> biases;        // where the rows are packed: behind the pointers above
  };
  /// The rows as they are in the file, among those of all experts.
  static Layer in_file(const LayerWeights& weights, std::span<const uint32_t> experts);
  /// Copies of the experts that are here, at `memory`, which moves on.
  Layer packed(const LayerWeights& weights, std::span<const uint32_t> experts, std::byte*& memory);
  /// Of such copies; 0 where the backend does not want them.
  uint64_t packed_bytes(const LayerWeights& weights, uint64_t num_experts) const;
  /// Notes which of the choices are of experts here, and in what order their rows come.
  void plan(const Layer& layer, std::span<const uint32_t> choices);

  float swiglu_limit_;
  std::unique_ptr<kernels::Backend> backend_;
  ThreadPool& threads_;
  BigMemory packed_;
  std::vector<Layer> layers_;
  uint64_t size_bytes_ = 0;

  // Of the rows in work, n of them.
  std::vector<uint32_t> slots_, numbers_;  // choices of experts here in order, and which experts those are
  kernels::ExpertPlan plan_;
  std::vector<float> x_;           // [n, D]
  std::vector<uint32_t> of_row_;   // [n] the row's expert
  std::vector<float> no_weights_;  // [n] ones
};

}  // namespace gossamer
