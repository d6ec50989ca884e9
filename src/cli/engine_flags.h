#pragma once

#include <string>

#include "cli/options.h"
#include "engine/engine.h"

namespace gossamer::cli {

/// How the engine runs: shared by every command that answers prompts.
struct EngineFlags {
  std::string kv_dtype;       // empty: bf16, or f32 where that is the precision
  std::string kv_memory;      // "2GB", "512MiB"; empty: chosen by the engine
  uint32_t tpot_goal_ms = 0;  // 0: 1.7 times a step without prompts

  void declare(Options& options);
  /// Errors: a size that is none.
  Result<EngineOptions> resolve(kernels::Precision precision) const;
};

/// "1.5GB", "512 MiB", "64k", "1000": bytes. GB is 10^9, GiB is 2^30, one letter alone counts like GiB. Errors:
/// anything else.
Result<uint64_t> parse_bytes(const std::string& text);

}  // namespace gossamer::cli
