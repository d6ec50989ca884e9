#pragma once

#include <chrono>
#include <unordered_map>

#include "engine/token_chooser.h"

namespace gossamer {

/// A request beside its sequence: what the scheduler does not need to know.
struct LiveRequest {
  EngineRequest request;
  EventSink sink;
  TokenChooser chooser;
  std::chrono::steady_clock::time_point submitted;
  std::optional<double> queue_seconds = {};
  double first_token_seconds = 0;
  uint32_t scored_prompt_tokens = 0;  ///< whose logprobs were handed out
};

using LiveRequests = std::unordered_map<SequenceId, LiveRequest>;

}  // namespace gossamer
