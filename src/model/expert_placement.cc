#include "model/expert_placement.h"

#include <algorithm>
#include <numeric>

namespace gossamer {

ExpertPlacement ExpertPlacement::choose(const ExpertUse& use, std::span<const uint64_t> expert_bytes,
                                        uint64_t budget_bytes) {
  struct Candidate {
    double use_of_byte;
    uint32_t expert, layer;
  };
  std::vector<Candidate> candidates;
  for (uint32_t expert = 0; expert < use.num_experts(); ++expert)
    for (uint32_t layer = 0; layer < use.num_layers(); ++layer)
      candidates.push_back(
          {static_cast<double>(use.of(layer, expert)) / static_cast<double>(expert_bytes[layer]), expert, layer});
  // Equals stay as they are: the first expert of every layer, then the second of every layer.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.use_of_byte > b.use_of_byte; });
  std::vector<std::vector<uint32_t>> chosen(use.num_layers()), left(use.num_layers());
  for (const Candidate& candidate : candidates) {
    const bool fits = expert_bytes[candidate.layer] <= budget_bytes;
    if (fits) budget_bytes -= expert_bytes[candidate.layer];
    (fits ? chosen : left)[candidate.layer].push_back(candidate.expert);
  }
  ExpertPlacement placement;
  for (uint32_t layer = 0; layer < use.num_layers(); ++layer) {
    Layer& made = placement.layers_.emplace_back();
    std::sort(chosen[layer].begin(), chosen[layer].end());
    std::sort(left[layer].begin(), left[layer].end());
    made.num_on_device = static_cast<uint32_t>(chosen[layer].size());
    made.order = std::move(chosen[layer]);
    made.order.insert(made.order.end(), left[layer].begin(), left[layer].end());
  }
  return placement;
}

ExpertPlacement ExpertPlacement::all_on_device(uint32_t num_layers, uint32_t num_experts) {
  Layer layer{std::vector<uint32_t>(num_experts), num_experts};
  std::iota(layer.order.begin(), layer.order.end(), 0u);
  ExpertPlacement placement;
  placement.layers_.assign(num_layers, layer);
  return placement;
}

uint64_t ExpertPlacement::num_on_device() const {
  uint64_t sum = 0;
  for (const Layer& layer : layers_) sum += layer.num_on_device;
  return sum;
}

uint64_t ExpertPlacement::num_on_host() const {
  uint64_t sum = 0;
  for (const Layer& layer : layers_) sum += layer.order.size() - layer.num_on_device;
  return sum;
}

}  // namespace gossamer
