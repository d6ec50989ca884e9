#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kv/sequence_pages.h"

namespace gossamer {

using SequenceId = uint64_t;
using TenantId = uint64_t;

/// Time as the caller counts it; the scheduler has no clock of its own.
using Microseconds = int64_t;
inline constexpr Microseconds kNever = std::numeric_limits<Microseconds>::max();

enum class Priority : uint8_t { kInteractive, kBatch };

/// One answer in the making, as the scheduler sees it. The length fields, always in this order:
///
///     settled <= scheduled <= known + pending <= max_tokens
///
/// settled    keys and values computed for good
/// scheduled  computed, or part of a step that was launched
/// known      tokens whose ids are known: the prompt, then what was sampled
/// pending    tokens that launched steps will sample (their place is typed, they have no id yet)
struct Sequence {
  SequenceId id = 0;
  TenantId tenant = 0;
  Priority priority = Priority::kInteractive;
  Microseconds arrival_us = 0;
  Microseconds deadline_us = kNever;

  std::vector<TokenId> known;
  uint32_t prompt_tokens = 0;
  uint32_t max_tokens = 0;             ///< prompt and answer together
  bool computes_whole_prompt = false;  ///< echo and prompt logprobs: a prefix hit must not skip tokens
  uint32_t max_row_tokens = ~0u;       ///< of one step: where every position's logits are wanted, they need memory
  std::vector<uint32_t> checkpoints;   ///< wished by the caller: ends of the parts of the prompt that others share

  uint32_t settled = 0;
  uint32_t scheduled = 0;
  uint32_t pending = 0;
  uint32_t cached_tokens = 0;  ///< of the prompt, taken from the prefix cache at the first admission
  uint32_t charged = 0;        ///< settled at some time, and charged to its tenant
  uint32_t epoch = 0;          ///< rises with every preemption: results of steps from before do not count
  bool running = false;
  SequencePages pages;

  /// Tokens that could be computed now.
  uint32_t unscheduled() const { return static_cast<uint32_t>(known.size()) + pending - scheduled; }
  /// Prompt or, after a preemption, everything known is being caught up with.
  bool is_prefilling() const { return scheduled + 1 < known.size() + pending; }
  /// Its place in the line, for good: batch work stands where an interactive request would that came so much later.
  /// Later arrivals get later places, so everybody is first one day.
  Microseconds place() const { return arrival_us + (priority == Priority::kBatch ? kBatchPenaltyUs : 0); }
  static constexpr Microseconds kBatchPenaltyUs = 30'000'000;
};

}  // namespace gossamer
