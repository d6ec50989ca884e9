#pragma once

#include <cstdio>

#include "base/json.h"
#include "kernels/cuda/device_facts.h"
#include "model/step_cost.h"
#include "synthetic/preset.h"

namespace gossamer::cli {

/// The card that is measured, what is known of it, and where people read of it.
struct GpuCard {
  kernels::cuda::DeviceInfo info;
  kernels::cuda::DeviceFacts facts;
  std::FILE* out = nullptr;

  /// The one that the driver counts as `index`, which is then in use. Errors: there is no such one.
  static Result<GpuCard> open(int index, std::FILE* out);

  /// As a report names it.
  json::object to_json() const;
  /// What a measurement of the card says it can do, as `gossamer gpu roof` left it in a report; what it lacks is 0.
  DeviceRoof roof(const json::value* measured) const;
};

/// One line: a card, and what of gpt-oss it takes with its cache.
std::string describe(const kernels::cuda::DeviceInfo& info);

}  // namespace gossamer::cli
