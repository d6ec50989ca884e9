#include "cli/gpu_roof.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer::cli {
namespace {

using kernels::cuda::Roof;
using kernels::cuda::Roofs;

void print(std::FILE* out, const Roof& roof) {
  fmt::print(out, "{:<42}{:>10.{}f} {:<8}{:>6.1f} %  {:>10.1f} us a run  {}\n", roof.name, roof.value,
             roof.unit == "us" ? 3 : 1, roof.unit, 100 * roof.spread, roof.us, roof.how);
  std::fflush(out);
}

/// Figures whose name begins so; the largest of them under that key, where there is one.
struct Headline {
  const char *key, *begin;
};
constexpr Headline kHeadlines[] = {{"read_gb_per_s", "read, "},
                                   {"copy_gb_per_s", "copy, "},
                                   {"f16_mma_tflop_per_s", "mma.sync, f16"},
                                   {"bf16_mma_tflop_per_s", "mma.sync, bf16"},
                                   {"launch_us", "launch, in a stream"},
                                   {"host_launch_us", "launch, what the host spends"},
                                   {"overlapped_launch_us", "launch, in a graph, each begins early"},
                                   {"host_exchange_us", "exchange with the host"}};

}  // namespace

Result<GpuPart> gpu_roof(std::FILE* out) {
  kernels::cuda::RoofOptions options;
  GOS_TRY(options.device, kernels::cuda::device_in_use());
  return gpu_roof(options, out);
}

Result<GpuPart> gpu_roof(const kernels::cuda::RoofOptions& options, std::FILE* out) {
  fmt::print(out, "{:<42}{:>10} {:<8}{:>8}\n", "what the card can do", "median", "", "spread");
  GOS_TRY(const Roofs measured, measure_roofs(options, [&](const Roof& roof) { print(out, roof); }));
  const std::vector<Roof>& roofs = measured.figures;
  GpuPart part;
  part.ok = measured.failures.empty();
  for (const std::string& failure : measured.failures) fmt::print(out, "FAILED: {}\n", failure);
  if (!part.ok) part.json["errors"] = json::array(measured.failures.begin(), measured.failures.end());
  json::array all;
  for (const Headline& headline : kHeadlines) {
    double largest = 0;
    for (const Roof& roof : roofs)
      if (roof.name.starts_with(headline.begin)) largest = std::max(largest, roof.value);
    if (largest > 0) part.json[headline.key] = largest;
  }
  for (const Roof& roof : roofs) {
    if (roof.name == "launch, in a graph") part.json["graph_launch_us"] = roof.value;
    all.push_back(json::object{{"name", roof.name},
                               {"value", roof.value},
                               {"unit", roof.unit},
                               {"spread", roof.spread},
                               {"work", roof.work},
                               {"us", roof.us},
                               {"how", roof.how}});
  }
  part.json["buffer_bytes"] = options.buffer_bytes;
  part.json["roofs"] = std::move(all);
  return Result<GpuPart>(std::move(part));
}

}  // namespace gossamer::cli
