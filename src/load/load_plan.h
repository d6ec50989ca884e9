#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "load/prompts.h"

namespace gossamer::load {

enum class Endpoint : uint8_t {
  kChat,         ///< POST .../chat/completions
  kCompletions,  ///< POST .../completions
};

/// What requests ask for.
struct RequestPlan {
  Endpoint endpoint = Endpoint::kChat;
  std::string model = {};
  std::vector<Prompt> prompts = {};  ///< taken in turn; empty: made up, another for each request
  uint32_t made_up_tokens = 0;       ///< of a prompt that is made up
  uint32_t max_tokens = 0;           ///< 0: the server's default
  std::optional<float> temperature = std::nullopt;
  std::optional<uint64_t> seed = std::nullopt;  ///< that of the first request; each has the next one
  bool ignore_eos = false;                      ///< answers of max_tokens exactly, where the server knows the field
  bool stream = true;
  double timeout_seconds = 0;  ///< of a request; 0: none
  std::string api_key = {};
};

/// When requests are sent.
struct Pace {
  uint32_t concurrency = 0;     ///< requests under way at most; 0: any number
  uint64_t requests = 0;        ///< how many; 0: until the time is over
  double duration_seconds = 0;  ///< none is begun later; 0: any time
  double rate = 0;              ///< open loop: requests a second at random times (Poisson); 0: each as soon as it may
  uint64_t seed = 0;            ///< of these times
};

struct LoadPlan {
  RequestPlan request;
  Pace pace;
  uint64_t first_index = 0;  ///< of the requests: which prompt and seed come first
};

}  // namespace gossamer::load
