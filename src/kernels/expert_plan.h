#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gossamer::kernels {

/// The (token, choice) pairs of a batch sorted by expert. Pure; tested without weights.
struct ExpertPlan {
  struct Group {
    uint32_t expert;
    uint32_t begin, end;  // in `slots`
  };
  std::vector<Group> groups;    // experts that have work, ascending
  std::vector<uint32_t> slots;  // t * A + choice, ascending inside a group
};

/// `indices`: [T * A], each < num_experts. Reuses the memory of `plan`.
void plan_experts(std::span<const uint32_t> indices, uint32_t num_experts, ExpertPlan& plan);

}  // namespace gossamer::kernels
