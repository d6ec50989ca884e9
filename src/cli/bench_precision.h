#pragma once

#include <string>

#include "cli/model_options.h"

namespace gossamer::cli {

struct PrecisionBenchOptions {
  ModelOptions model;             // its precision counts for nothing: every mode is computed
  std::string text;               // a file; empty: the text that lies with the model
  uint32_t window_tokens = 1024;  // longer texts are cut
  bool all_positions = false;     // compare everywhere, not only where the assistant writes
  bool json = false;
};

/// Runs the model over a text in every mode of engine/precision_loss.h that its backend has and prints how far each is
/// from float32. Returns the exit code.
int bench_precision(PrecisionBenchOptions options);

}  // namespace gossamer::cli
