#pragma once
/// What the card at hand can do at most: the figures that others are shares of. Measured with kernels that do nothing
/// else, and what they read and computed is checked, so that no figure comes from work that was left out.

#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace gossamer::kernels::cuda {

/// What the card does at most of one thing.
struct Roof {
  std::string name;  ///< "read, bulk copies of 24 KiB"
  double value;      ///< the median of all runs
  std::string unit;  ///< "GB/s", "TFLOP/s", "us"
  double spread;     ///< what the middle half of the runs spans, as a share of it
  double work = 0;   ///< of a run: bytes, operations or launches
  double us = 0;     ///< of a run, the median
  std::string how;   ///< of several ways the fastest: "4 blocks of 256 threads a processor"
};

struct RoofOptions {
  DeviceInfo device;                          ///< the one in use
  uint64_t buffer_bytes = uint64_t{2} << 30;  ///< what is read: far more than any cache; less where less is free
  uint32_t num_runs = 15;                     ///< of each, after one that does not count
  uint32_t mma_rounds = 2048;                 ///< instructions in a row of each of eight sums of a warp
  uint32_t num_launches = 1000;               ///< in a row
};

/// What was measured, and a sentence for each figure that could not be: the device failed, or a kernel did not do what
/// it is measured for.
struct Roofs {
  std::vector<Roof> figures;
  std::vector<std::string> failures;
};

/// Takes some seconds; `told` (may be empty) after each figure. What a card has no instruction for is left out.
/// Errors: the device has no memory for it.
Result<Roofs> measure_roofs(const RoofOptions& options, const std::function<void(const Roof&)>& told);

/// The time of `num_runs` runs of `work` on a stream, after one that does not count.
struct RunTimes {
  double median_us = 0, spread = 0;
};
Result<RunTimes> time_runs(const DeviceStream& stream, uint32_t num_runs, const std::function<void()>& work);

/// What it costs to start a kernel: one after the other, in a graph, and in a graph in which each begins before the one
/// before has ended.
Result<std::vector<Roof>> measure_launches(const RoofOptions& options, const DeviceStream& stream);

/// What a layer costs at least of which the host computes experts. Errors also: the device takes no graph.
Result<Roof> measure_exchange(const RoofOptions& options, const DeviceStream& stream);

}  // namespace gossamer::kernels::cuda
