#include "model/kernel_rates.h"

#include <algorithm>
#include <chrono>

#include "model/kernel_bench.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;
using Clock = std::chrono::steady_clock;

constexpr double kSecondsOfSeries = 5e-4;
constexpr uint32_t kLeastSeries = 5;

/// Series of launches, each between two events; the median of what one of them took.
Result<KernelRate> time_case(const KernelCase& kernel, double seconds, const DeviceStream& stream, DeviceTimer& timer) {
  uint32_t turn = 0;
  const auto series = [&](uint32_t launches) -> Result<double> {
    timer.start(stream);
    for (uint32_t i = 0; i < launches; ++i) kernel.start(turn++);
    timer.stop(stream);
    GOS_TRY(const double us, timer.microseconds());
    return us * 1e-6 / launches;
  };
  GOS_TRY(double once, series(1));  // the first loads the kernel, the second says how long it takes
  GOS_TRY(once, series(1));
  const auto launches = static_cast<uint32_t>(std::clamp(kSecondsOfSeries / std::max(once, 1e-7), 1.0, 200.0));
  KernelRate rate;
  rate.name = kernel.name;
  std::vector<double> times;
  double spent = 0;
  while (times.size() < kLeastSeries || spent < seconds) {
    GOS_TRY(const double time, series(launches));
    times.push_back(time);
    spent += std::max(time, 1e-7) * launches;
  }
  std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2), times.end());
  rate.seconds = times[times.size() / 2];
  rate.runs = static_cast<uint32_t>(times.size()) * launches;
  rate.bytes = kernel.bytes;
  rate.flops = kernel.flops;
  return rate;
}

}  // namespace

Status measure_kernel_rates(const ModelConfig& config, const SyntheticModel& model, const DeviceRoof& roof,
                            const KernelRatesOptions& options, const std::function<bool(const KernelRate&)>& on_rate) {
  const Clock::time_point begin = Clock::now();
  const StripShape smallest{model.dense, config.hidden, static_cast<uint32_t>(config.q_rows())};
  ModelConfig some_layers = config;
  some_layers.num_layers = static_cast<uint32_t>(
      std::clamp<uint64_t>(2 * options.cache_bytes / smallest.bytes() + 1, 2, std::max(2u, config.num_layers)));
  GOS_TRY(const DeviceWeights weights, DeviceWeights::synthetic(some_layers, model, {}));
  GOS_TRY(const DeviceStream stream, DeviceStream::create());
  GOS_TRY(DeviceTimer timer, DeviceTimer::create());
  for (const uint32_t rows : options.rows)
    for (const Sums sums : {Sums::kInSlices, Sums::kInSlicesOnHopper, Sums::kInOneRunOnHopper}) {
      if (sums != Sums::kInSlices && (!has_warpgroups() || tile_rows_for(rows, sums) == 8)) continue;
      KernelBench bench(some_layers, weights, options, rows, some_layers.num_layers, sums, stream);
      GOS_TRY_STATUS(bench.make());
      for (const KernelCase& kernel : bench.cases()) {
        if (kernel.name.find(options.only) == std::string::npos) continue;
        if (std::chrono::duration<double>(Clock::now() - begin).count() > options.seconds) return {};
        GOS_TRY(KernelRate rate, time_case(kernel, options.seconds_of_figure, stream, timer));
        rate.rows = rows;
        if (roof.is_known())
          rate.limit_seconds = std::max(rate.bytes / roof.read_bytes_per_s, rate.flops / roof.flops_per_s);
        if (!on_rate(rate)) return {};
      }
    }
  return {};
}

}  // namespace gossamer
