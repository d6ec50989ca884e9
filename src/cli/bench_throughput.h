#pragma once

#include <string>

#include "cli/engine_flags.h"
#include "cli/model_options.h"
#include "cli/workload.h"

namespace gossamer::cli {

struct ThroughputOptions {
  ModelOptions model;
  EngineFlags engine;
  WorkloadOptions work;
  uint32_t concurrency = 0;  // 0: what the file of settings says, or 16
  std::optional<uint64_t> seed;
  std::string config;  // a file of settings, see workload.h; what the command line says comes before it
  bool json = false;

  /// All but the model and --json, which other measurements have too.
  void declare(Options& options);
};

/// Runs requests through the engine, with a progress bar, and prints what it did with them. Returns the exit code.
int bench_throughput(ThroughputOptions options);

}  // namespace gossamer::cli
