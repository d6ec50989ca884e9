#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// How often each expert of each layer was chosen.
class ExpertUse {
 public:
  ExpertUse() = default;
  ExpertUse(uint32_t num_layers, uint32_t num_experts)
      : num_layers_(num_layers), num_experts_(num_experts), counts_(uint64_t{num_layers} * num_experts) {}

  uint32_t num_layers() const { return num_layers_; }
  uint32_t num_experts() const { return num_experts_; }
  uint64_t of(uint32_t layer, uint32_t expert) const { return counts_[uint64_t{layer} * num_experts_ + expert]; }
  std::span<const uint64_t> counts() const { return counts_; }  ///< [layers, E]
  std::span<uint64_t> counts() { return counts_; }
  bool is_empty() const;

  /// Experts as a router chose them, each < num_experts().
  void count(uint32_t layer, std::span<const uint32_t> choices) {
    uint64_t* of_layer = counts_.data() + uint64_t{layer} * num_experts_;
    for (const uint32_t expert : choices) ++of_layer[expert];
  }
  /// Makes what was counted so far weigh no more than some hours of one user's: what is asked today may be asked of
  /// other experts.
  void forget_old();

 private:
  uint32_t num_layers_ = 0, num_experts_ = 0;
  std::vector<uint64_t> counts_;
};

/// Where counts are kept from one run to the next, and of which model they are.
struct ExpertUseFile {
  std::string path;    ///< empty: nowhere
  std::string source;  ///< digest of the model's files, see source_digest()
};

/// Beside the packed copy of the model at `model_path`, in the folder that packed_cache_path() says; its path is empty
/// where that is.
ExpertUseFile expert_use_file(const std::string& model_path, std::string source);

/// Counts that were kept; all zero where there are none of this model. `damaged` is set where there is a file that
/// nobody wrote like this, or of which a bit has changed: it is not read, and replaced by the next write.
struct KeptExpertUse {
  ExpertUse use;
  bool damaged = false;
};
KeptExpertUse read_expert_use(const ExpertUseFile& file, uint32_t num_layers, uint32_t num_experts);

/// Puts them there, all at once or not at all; of two processes the last one's stay. Errors: as NewFile::create().
Status write_expert_use(const ExpertUseFile& file, const ExpertUse& use);

}  // namespace gossamer
