#pragma once

#include "model/batch.h"

namespace gossamer {

/// Another place where Model::forward() is computed: a device with memory of its own.
class ForwardPass {
 public:
  virtual ~ForwardPass() = default;
  /// Pages of a cache that this place can reach. Errors: no memory, or a dtype that it does not keep.
  virtual Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                                       uint32_t num_pages) const = 0;
  /// Of memory that a cache could have.
  virtual uint64_t free_bytes() const = 0;
  /// Takes all memory that batches of so many tokens need, from rows of which so many tokens are drawn, so that none is
  /// asked for later. Errors: there is not so much.
  virtual Status prepare(uint32_t max_tokens, uint32_t max_rows) = 0;
  /// See Model::forward(); the batch was checked.
  virtual Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) = 0;

  /// Whether it takes TopWish::stays and what follows. Where all of a batch's logits stay, forward() comes back before
  /// they are there.
  virtual bool can_draw() const { return false; }
  /// Starts to draw a token of each of these rows of the last forward(), of each row once; waits for nothing. Masks and
  /// changes have been read when it comes back. Errors: no such row, masks or changes that do not fit, no memory.
  virtual Status draw(std::span<const DrawWish> wishes);
  /// Waits, and fills what the wishes of draw() and forward() name. Errors: the device failed.
  virtual Status finish_draws() { return {}; }
};

}  // namespace gossamer
