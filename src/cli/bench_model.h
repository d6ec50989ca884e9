#pragma once

#include <string>

#include "cli/model_options.h"

namespace gossamer::cli {

/// What is particular to `bench model`; model, cache dtype and --json are shared with the other measurements.
struct ModelBenchOptions {
  ModelOptions model;
  std::string kv_dtype;
  std::string prefill_tokens = "128,512", depths = "0", parallel;
  uint32_t decode_tokens = 32, runs = 3, chunk_tokens = 512;
  std::string chart;  // a file for the picture; empty: none
  bool stages = false;
  bool json = false;

  void declare(Options& options);
};

/// Measures prefill and decode and what this machine could do, prints each figure as it is there. Ctrl-C ends the
/// program before the first figure, and the measurement with what is there from then on. Returns the exit code.
int bench_model(const ModelBenchOptions& options);

}  // namespace gossamer::cli
