#pragma once

#include <string>

#include "model/batch.h"

namespace gossamer {

/// The largest steps that will come.
struct StepLimits {
  uint32_t max_tokens = 512;
  uint32_t max_rows = 64;
  uint32_t max_sequence_tokens = 131072;

  bool operator==(const StepLimits&) const = default;
};

/// Another place where Model::forward() is computed: a device with memory of its own.
class ForwardPass {
 public:
  virtual ~ForwardPass() = default;
  /// Pages of a cache that this place can reach. Errors: no memory, or a dtype that it does not keep.
  virtual Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                                       uint32_t num_pages) const = 0;
  /// What is left for a cache of this shape, of the memory that may be used here.
  virtual uint64_t free_bytes(const KvShape& shape) const = 0;
  /// Takes all memory that such steps need, so that none is asked for later. Errors: there is not so much.
  virtual Status prepare(const StepLimits& limits) = 0;
  /// Makes ready, after prepare(), what steps over this cache will want: the first ones then take no longer than
  /// others.
  virtual void warm_up(const KvMemory& cache) = 0;
  /// "13.80 GB of weights, ...": what of this place's memory is taken for what.
  virtual std::string memory_text() const = 0;
  /// Where the weights are, for people; empty where they are all there.
  virtual std::string placement() const { return {}; }
  /// See Model::forward(); the batch was checked.
  virtual Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) = 0;

  /// Whether it takes TopWish::stays and what follows. Where all of a batch's logits stay, forward() comes back before
  /// they are there.
  virtual bool can_draw() const { return false; }
  /// Starts to draw a token of each of these rows of the last forward(), of each row once; waits for nothing. Masks and
  /// changes have been read when it comes back. Errors: no such row, masks or changes that do not fit, no memory.
  virtual Status draw(std::span<const DrawWish> wishes);
  /// The number of the last forward().
  virtual uint64_t last_step() const { return 0; }
  /// Waits for that step, the last one or the one before it, and fills what the wishes of its draw() and forward()
  /// name; once. Errors: the device failed, or there were two more since.
  virtual Status finish_draws(uint64_t /*step*/) { return {}; }
  /// Whether a step may begin before the tokens of the last one are known: BatchRow::drawn_row.
  virtual bool can_run_ahead() const { return false; }
};

}  // namespace gossamer
