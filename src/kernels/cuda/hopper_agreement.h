#pragma once
/// Whether products by Hopper's warpgroups have the bits of those by mma.sync. The instructions add the same sixteen
/// products to the same sum; NVIDIA does not say that they round alike, so a card is asked.

#include <array>

#include "kernels/cuda/runtime.h"

namespace gossamer::kernels::cuda {

/// Of one format: sums that were compared, those with other bits, and how far the furthest was off, as a share of the
/// largest sum.
struct FormatAgreement {
  StripFormat format = StripFormat::kBf16;
  uint64_t num_sums = 0, num_different = 0;
  double largest_difference = 0;
};
struct HopperAgreement {
  std::array<FormatAgreement, 4> formats;

  /// With this Sums::kInSlicesOnHopper may take the place of Sums::kInSlices.
  bool same_bits() const;
  /// "bf16: the same bits in 368,640 sums", a line for each format.
  std::string report() const;
};

/// The shape of the comparison: by default what an expert of the real models has.
struct AgreementShape {
  uint32_t rows = 2880, cols = 2880, tokens = 128;
};
/// For who loads a model: all columns, tiles of 128 rows, and a few of the strips: other rounding would show in most
/// sums.
inline constexpr AgreementShape kQuickAgreement{80, 2880, 128};
/// Multiplies random weights of every format with random rows, by both. Errors: the device in use is no Hopper, has no
/// memory, or failed.
Result<HopperAgreement> compare_on_hopper(const DeviceStream& stream, const AgreementShape& shape = {});

}  // namespace gossamer::kernels::cuda
