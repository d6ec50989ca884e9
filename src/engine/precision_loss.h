#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/loaded_model.h"
#include "kernels/kv_layout.h"
#include "sampling/logit_difference.h"

namespace gossamer {

/// One way of computing that rounds something.
struct PrecisionMode {
  std::string_view name;  ///< short, for tables; stable, for programs that read them
  kernels::Precision products = kernels::Precision::kF32;
  kernels::KvDtype kv_dtype = kernels::KvDtype::kF32;
  DenseDtype dense_dtype = DenseDtype::kAsStored;
};

/// Each rounding alone, then all together: `default` is what `run` and `chat` compute. The first rounds nothing: it is
/// the judge. A further way of rounding is a further line.
inline constexpr PrecisionMode kPrecisionModes[] = {
    {"f32", kernels::Precision::kF32, kernels::KvDtype::kF32},
    {"15-bit activations", kernels::Precision::kExact, kernels::KvDtype::kF32},
    {"8-bit activations", kernels::Precision::kDefault, kernels::KvDtype::kF32},
    {"bf16 cache", kernels::Precision::kF32, kernels::KvDtype::kBf16},
    {"int8 cache", kernels::Precision::kF32, kernels::KvDtype::kInt8},
    {"exact", kernels::Precision::kExact, kernels::KvDtype::kBf16},
    {"default", kernels::Precision::kDefault, kernels::KvDtype::kBf16},
    {"default, int8 cache", kernels::Precision::kDefault, kernels::KvDtype::kInt8},
    {"default, int8 dense", kernels::Precision::kDefault, kernels::KvDtype::kBf16, DenseDtype::kInt8},
};

/// Tokens of a text, and which of them the model is asked to predict from those before them. The first never is.
struct ScoredTokens {
  std::vector<TokenId> tokens;
  std::vector<bool> scored;  ///< [tokens]
};

/// `text` in windows, each computed on its own from position 0. A window has at most `window_tokens` tokens to compute
/// and one more to predict, with which the next window begins, so every token but the first is predicted once.
/// Windows without a scored token are left out. Precondition: window_tokens > 0.
std::vector<ScoredTokens> cut_windows(const ScoredTokens& text, uint32_t window_tokens);

/// Computes the windows in every mode and compares the logits before each scored token with those of modes[0], the
/// judge. The tokens are given (nothing is sampled), many at a time: kDefault rounds all of them to 8 bits, where an
/// answer that is written token by token would have 15, so this is the most that it costs. Logits are kept for one
/// chunk of one window, of the judge and of one mode at a time. One result for each mode. `loaded` must compute with
/// modes[0].products; the other models are made over its file and threads. `on_progress` hears the tokens computed in
/// all modes, and how many there are. Errors: a window that the context cannot hold, a token that the model does not
/// have, no memory for a cache.
Result<std::vector<LogitDifference>> measure_precision(
    LoadedModel& loaded, std::span<const ScoredTokens> windows, std::span<const PrecisionMode> modes,
    const std::function<void(uint64_t done, uint64_t all)>& on_progress = {});

}  // namespace gossamer
