#pragma once

#include "base/big_memory.h"
#include "base/progress.h"
#include "kernels/backend.h"
#include "model/weights.h"

namespace gossamer {

/// Bytes of the copies that pack_weights() would make; 0 where the backend reads the file's order as fast.
uint64_t packed_bytes(const Weights& weights, const kernels::Backend& backend);

/// Copies every matrix that `backend` wants in another order to `memory` (packed_bytes()), points `weights` at the
/// copies, and lets go of the file behind them: weights are in memory once. Products have the same bits as before.
void pack_weights(Weights& weights, kernels::Backend& backend, BigMemory& memory, const ProgressFn& progress);

}  // namespace gossamer
