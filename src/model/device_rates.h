#pragma once
/// How fast a model on a device is, step by step as the engine runs it, with caches and tokens that are made up.

#include <functional>
#include <string>

#include "model/forward_pass.h"
#include "model/step_cost.h"

namespace gossamer {

struct DeviceRatesOptions {
  std::vector<uint32_t> batches = {1, 2, 4, 8, 16, 32, 64, 128, 256};  ///< of decode: sequences that go on together
  std::vector<uint32_t> contexts = {128, 1024, 8192};                  ///< tokens before the new one
  std::vector<uint32_t> prefills = {128, 512, 2048, 8192};             ///< tokens of a prompt
  uint32_t chunk_tokens = 4096;                                        ///< of a prompt that a step takes at most
  kernels::KvDtype kv_dtype = kernels::KvDtype::kBf16;
  uint32_t warm_ups = 2;
  uint32_t least_runs = 5, most_runs = 50;
  double seconds_of_figure = 1;  ///< after so long and least_runs, a figure is there
  double seconds = 300;          ///< of all: what comes later is left out
  uint64_t seed = 1;
};

/// One figure, or why it is not there.
struct DeviceRate {
  std::string name;  ///< "decode b8 c1024", "prefill 2048"
  bool is_prefill = false;
  uint32_t batch = 1, context = 0;        ///< of decode
  uint32_t tokens = 1;                    ///< that the time is of: the batch, or the prompt
  double seconds = 0, least_seconds = 0;  ///< median and the best of `runs`
  uint32_t runs = 0;
  double experts = 0;   ///< of a decode step, in the mean over layers, as they were chosen
  StepCost cost;        ///< of those tokens
  std::string skipped;  ///< empty: it was measured

  double tokens_per_second() const { return tokens / seconds; }
  /// Which share of what the roof allows it reached; 0: not known.
  double of_limit() const { return cost.limit_seconds / seconds; }
};

/// What the caches are filled with, on the device. KvMemory says where; called before a figure is measured.
using FillCache = std::function<Status(const KvMemory& memory)>;

/// Decode at each context and batch, then prompts; `on_rate` gets each figure as it is there, and ends the measurement
/// where it gives false. Errors: the device failed; a figure that memory or time do not allow is no error.
Status measure_device_rates(ForwardPass& model, const ModelConfig& config, const StepFormats& formats,
                            const DeviceRoof& roof, const DeviceRatesOptions& options, const FillCache& fill_cache,
                            const std::function<bool(const DeviceRate&)>& on_rate);

}  // namespace gossamer
