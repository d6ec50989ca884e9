#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/throughput.h"
#include "simulator/machine.h"
#include "simulator/router.h"
#include "simulator/trace.h"

namespace gossamer::simulator {

struct SimulationOptions {
  Machine machine;
  uint32_t replicas = 1;
  std::string policy = "least-requests";
  SchedulerLimits limits;
  double tpot_goal_seconds = 0;   ///< as EngineOptions
  double ttft_limit_seconds = 2;  ///< goodput counts requests that kept both
  double tpot_limit_seconds = 0.1;
  double speedup = 1;  ///< the trace runs so much faster
  uint64_t seed = 1;
};

/// One second of virtual time, for the chart.
struct SecondOfTime {
  uint32_t running = 0, waiting = 0;  ///< at its end
  uint32_t output_tokens = 0, input_tokens = 0;
};

struct SimulationResult {
  uint64_t requests = 0, finished = 0;
  uint64_t too_long = 0, refused = 0;  ///< refused: the line was full
  uint64_t input_tokens = 0, cached_tokens = 0, output_tokens = 0, steps = 0, preemptions = 0;
  double virtual_seconds = 0, wall_seconds = 0;
  Percentiles ttft_ms, tpot_ms;
  Percentiles itl_ms;             ///< between tokens, all of them (to two per cent)
  double goodput_per_second = 0;  ///< of the time in which requests arrived
  double hit_rate = 0;            ///< cached of all prompt tokens
  double fairness = 1;  ///< Jain's index of the tenants' mean speed, 1 is even; traces without tenants have one
  std::vector<SecondOfTime> seconds;
};

/// Replays `trace` on replicas that run the real scheduler and cache manager; only the arithmetic is imagined, and
/// takes as long as the machine says. The same inputs give the same result to the last bit. `on_progress`: virtual
/// seconds done and all. Errors: no such policy; a cache too small for anything; limits of 0.
Result<SimulationResult> simulate(std::span<const TraceRequest> trace, const SimulationOptions& options,
                                  const std::function<void(double, double)>& on_progress = {});

}  // namespace gossamer::simulator
