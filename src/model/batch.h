#pragma once
/// What the model's one entry point takes and gives.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/token.h"
#include "base/token_mask.h"
#include "kernels/draw_rule.h"
#include "kernels/top_logits.h"
#include "model/kv_memory.h"

namespace gossamer {

/// Asks for the best of a position's logits instead of all of them. The model fills `top`.
struct TopWish {
  uint32_t k = 0;  // 0: all logits are wanted
  bool wants_log_sum_exp = false;
  std::span<const kernels::LogitChange> changes = {};  // tokens ascending; before the best are chosen, after the mask
  kernels::TopLogits* top = nullptr;                   // not null where k > 0
  /// All logits stay where they are computed, until ForwardPass::draw() looks at them; `top`, where not null, is filled
  /// by finish_draws() at the latest. No changes then: those of the draw come with it.
  bool stays = false;
};

/// What ForwardPass::draw() found in a row of logits.
struct Drawn {
  static constexpr TokenId kNoToken = ~0u;
  TokenId token = kNoToken;  ///< kNoToken: none is allowed
  float logit = 0;           ///< of it, before changes
  double masked_mass = 0;    ///< where the wish has a mask, as sampling/masked_mass.h
};

/// Asks for a token of a row of logits that stayed: the one that Sampler would choose from them.
struct DrawWish {
  uint32_t row = 0;  // of those that stayed, in the order of the batch
  kernels::DrawRule rule;
  std::span<const kernels::LogitChange> changes = {};  // tokens ascending
  const TokenMask* mask = nullptr;                     // forbids more than the batch's mask did; null: nothing
  Drawn* drawn = nullptr;
};

/// Asks for the residual stream after some layers (drafting heads read it). The model fills `hidden`.
struct HiddenTaps {
  std::vector<uint32_t> layers;            // ascending
  std::vector<std::vector<float>> hidden;  // per tap: [row's length, D], the output of that layer
};

/// A run of tokens of one sequence. Decode is a length of 1, prefill a chunk, a verify step the drafted tokens.
struct BatchRow {
  SequenceCache cache;
  /// Position of the first token. Everything before it is in the cache; what the cache holds from there on (tokens
  /// taken back) is written over.
  uint32_t start = 0;
  uint32_t length = 0;
  /// Which of the row's tokens want logits, as offsets 0 .. length - 1, ascending.
  std::vector<uint32_t> logit_offsets;
  /// One per logit offset, or none at all; null: every token is allowed. Forbidden tokens get a logit of minus
  /// infinity.
  std::vector<const TokenMask*> masks;
  /// One per logit offset, or none at all: then all logits are wanted of each.
  std::vector<TopWish> tops;
  HiddenTaps* taps = nullptr;
  /// Where it is there, the row's one token is the one that is being drawn of this row of the logits that stayed in the
  /// batch before: the device puts it where `tokens` has 0. Only where ForwardPass::can_run_ahead().
  std::optional<uint32_t> drawn_row = {};
};

/// A flattened batch: the tokens of all rows, one row after the other. A sequence occurs in one row only: rows may read
/// the same pages, but each writes to pages that no other row of the batch has.
struct Batch {
  std::vector<TokenId> tokens;
  std::vector<BatchRow> rows;
};

/// Everything that happened inside, for tests and for looking. Sizes are of the whole batch (T tokens).
struct ForwardTrace {
  struct Layer {
    std::vector<float> after_attention;    // [T, D] residual stream between attention and experts
    std::vector<float> hidden;             // [T, D] residual stream after the layer
    std::vector<float> router_logits;      // [T, E]
    std::vector<uint32_t> router_indices;  // [T, A]
    std::vector<float> router_weights;     // [T, A]
  };
  std::vector<Layer> layers;
  std::vector<float> final_norm;  // [T, D]
};

}  // namespace gossamer
