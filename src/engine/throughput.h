#pragma once

#include <functional>
#include <vector>

#include "engine/engine.h"

namespace gossamer {

/// One request of a measurement: a prompt, and how many tokens its answer has whatever the model would like to say.
struct WorkItem {
  std::vector<TokenId> prompt;
  uint32_t output_tokens = 0;
};

struct Percentiles {
  double p50 = 0, p90 = 0, p99 = 0;
};
/// Of any number of values, none included (all 0). Nearest rank.
Percentiles percentiles(std::vector<double> values);

struct ThroughputResult {
  uint32_t requests = 0;
  uint64_t input_tokens = 0, output_tokens = 0, cached_tokens = 0;
  double wall_seconds = 0;
  Percentiles ttft_ms;  ///< from the submission to the first token
  Percentiles tpot_ms;  ///< between tokens, the mean of each request
  Percentiles itl_ms;   ///< between tokens, all of them
  Percentiles step_ms;
  double mean_rows = 0;  ///< of a step
  uint32_t most_rows = 0, most_pages = 0, num_pages = 0;
  uint64_t preemptions = 0;
};

/// Runs all items, at most `concurrency` at a time, and waits for the last one. `on_progress` is called with requests
/// done and all, on the calling thread; false stops early: what has not begun is left out, the rest is cancelled and
/// does not count. Errors: an item that the engine refuses.
Result<ThroughputResult> measure_throughput(Engine& engine, std::span<const WorkItem> items, uint32_t concurrency,
                                            const std::function<bool(uint32_t, uint32_t)>& on_progress = {});

}  // namespace gossamer
