#pragma once

#include "base/progress.h"
#include "kernels/backend.h"
#include "model/dense_int8.h"
#include "model/weights.h"

namespace gossamer {

/// Bytes of the copies that pack_weights() would make; 0 where the backend reads the file's order as fast.
uint64_t packed_bytes(const Weights& weights, const kernels::Backend& backend, DenseDtype dense);

/// Copies every matrix that `backend` wants in another order to `memory` (packed_bytes(), aligned to 64), points
/// `weights` at the copies, and lets go of the file behind them: weights are in memory once. Products have the same
/// bits as before, but for dense matrices that are to be kept in another dtype.
void pack_weights(Weights& weights, kernels::Backend& backend, DenseDtype dense, std::byte* memory,
                  const ProgressFn& progress);

/// Points `weights` at copies that such a call made before.
void use_packed_weights(Weights& weights, const kernels::Backend& backend, DenseDtype dense, const std::byte* memory);

}  // namespace gossamer
