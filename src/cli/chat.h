#pragma once

#include "cli/constraint_options.h"
#include "cli/engine_flags.h"
#include "cli/local_tools.h"
#include "cli/model_options.h"
#include "cli/options.h"
#include "cli/sampling_options.h"
#include "cli/setup_options.h"

namespace gossamer::cli {

/// What a conversation with a model can be told at its start; the options of chat, and most of those of run.
struct ChatOptions {
  ModelOptions model;
  EngineFlags engine;
  SetupOptions setup;
  LocalToolOptions tools;  // how those of setup.tools run that run here
  SamplingOptions sampling;
  ConstraintOptions constraints;
  bool show_reasoning = false;
  bool verbose = false;

  void declare(Options& options);
  bool reasoning_shown() const { return show_reasoning || setup.wants_reasoning_shown(); }
};

/// Talks with whoever is at stdin until the end of input or /exit. Returns the exit code.
int chat(const ChatOptions& options);

}  // namespace gossamer::cli
