#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/cost_model.h"

namespace gossamer::simulator {

/// A machine as the simulator sees it: how long a step takes, and how much cache it has.
struct Machine {
  std::string name;
  double fixed_seconds = 0;     ///< of every step: dense weights read, launches
  double token_seconds = 0;     ///< of every token: arithmetic
  double kv_token_seconds = 0;  ///< of every position that a row reads from the cache
  double attended_seconds = 0;  ///< of every position that a token attends to: arithmetic
  double experts_seconds =
      0;  ///< of reading all experts; a step of T tokens reads 1 - (1 - active / experts)^T of them
  uint32_t experts = 32, active = 4;
  uint32_t num_pages = 0;  ///< of 32 tokens, both groups

  double step_seconds(const CostModel::Step& step) const;
};

/// "20b-cpu2", "20b-h100", "120b-h100", or six numbers "FIXED,TOKEN,KV,ATTENTION,EXPERTS,PAGES", seconds and pages.
/// Errors: neither.
Result<Machine> find_machine(const std::string& name);

}  // namespace gossamer::simulator
