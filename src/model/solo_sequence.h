#pragma once

#include <vector>

#include "model/batch.h"

namespace gossamer {

class Model;

/// A sequence with a cache of its own that keeps every token in every layer: for tools, tests and measurements, where
/// no engine shares pages out. Tokens can be taken back to any point.
class SoloSequence {
 public:
  /// Room for `max_tokens`; memory is taken as it is used. Errors: as KvMemory::allocate.
  static Result<SoloSequence> make(const Model& model, kernels::KvDtype dtype, uint32_t max_tokens);

  uint32_t num_tokens() const { return num_tokens_; }
  uint32_t max_tokens() const { return static_cast<uint32_t>(full_.size()) * kPageTokens; }
  KvMemory& memory() { return memory_; }

  /// The row of the next `length` tokens, which then count as computed. Precondition: they fit.
  BatchRow next_row(uint32_t length);
  /// Only the first `num_tokens` count.
  void truncate(uint32_t num_tokens) { num_tokens_ = num_tokens; }

 private:
  explicit SoloSequence(KvMemory memory) : memory_(std::move(memory)) {}
  KvMemory memory_;
  std::vector<PageId> full_, sliding_;
  uint32_t num_tokens_ = 0;
};

}  // namespace gossamer
