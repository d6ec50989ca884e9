#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/expert_use.h"

namespace gossamer {

/// Which experts of each layer are in the memory of a device, and which stay in that of the host. It does not change
/// while a process runs, since both round a little differently.
class ExpertPlacement {
 public:
  /// On the device, the experts that are chosen most often for each byte, as many as fit into `budget_bytes`; an expert
  /// of layer l takes expert_bytes[l]. Where nothing tells two apart, every layer gets as many as the others. The same
  /// arguments give the same placement.
  static ExpertPlacement choose(const ExpertUse& use, std::span<const uint64_t> expert_bytes, uint64_t budget_bytes);
  static ExpertPlacement all_on_device(uint32_t num_layers, uint32_t num_experts);

  /// All experts of a layer in the order in which they are packed and computed: those of on_device(), then those of
  /// on_host().
  std::span<const uint32_t> order(uint32_t layer) const { return layers_[layer].order; }
  std::span<const uint32_t> on_device(uint32_t layer) const {  ///< ascending
    return order(layer).first(layers_[layer].num_on_device);
  }
  std::span<const uint32_t> on_host(uint32_t layer) const {  ///< ascending
    return order(layer).subspan(layers_[layer].num_on_device);
  }
  uint32_t num_layers() const { return static_cast<uint32_t>(layers_.size()); }
  uint64_t num_on_device() const;  ///< of all layers
  uint64_t num_on_host() const;

 private:
  struct Layer {
    std::vector<uint32_t> order;  // [E]
    uint32_t num_on_device = 0;
  };
  std::vector<Layer> layers_;
};

}  // namespace gossamer
