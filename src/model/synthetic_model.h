#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/cuda/strips.h"

namespace gossamer {

/// What a made-up model on a device is like, beside its shapes.
struct SyntheticModel {
  /// Which experts tokens choose. kUniform: each equally often; kZipf: the most popular one as often as the next two
  /// together, and so on, another in every layer. Real routing lies between the two.
  enum class Router : uint8_t { kUniform, kZipf };

  uint64_t seed = 1;
  Router router = Router::kUniform;
  kernels::cuda::StripFormat dense = kernels::cuda::StripFormat::kBf16;  ///< of attention and head: kBf16, kF16 or kQ8
};

}  // namespace gossamer
