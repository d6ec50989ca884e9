#pragma once

#include <vector>

#include "engine/sequence.h"
#include "kv/kv_manager.h"

namespace gossamer {

/// Tokens start .. start + length - 1 of a sequence.
struct PlannedRow {
  SequenceId id = 0;
  uint32_t epoch = 0;
  Sequence* sequence = nullptr;  ///< valid until the sequence ends; results are matched by id and epoch
  uint32_t start = 0;
  uint32_t length = 0;
  bool samples = false;  ///< its last token's logits give the next token
};

/// One step of the engine: what is computed together.
struct StepPlan {
  StepId step = 0;
  std::vector<PlannedRow> rows;

  uint32_t num_tokens() const {
    uint32_t tokens = 0;
    for (const PlannedRow& row : rows) tokens += row.length;
    return tokens;
  }
};

}  // namespace gossamer
