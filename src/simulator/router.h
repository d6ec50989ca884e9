#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/result.h"
#include "simulator/trace.h"

namespace gossamer::simulator {

/// What a router knows of a replica.
struct ReplicaLoad {
  uint32_t requests = 0;       ///< sent there and not ended
  uint64_t prompt_tokens = 0;  ///< of them, not computed yet
};

/// Decides which replica gets a request.
class Router {
 public:
  virtual ~Router() = default;
  virtual uint32_t choose(const TraceRequest& request, const std::vector<ReplicaLoad>& replicas) = 0;
};

/// random, round-robin, least-requests, power-of-two (the better of two at random), prefix-hash (equal beginnings to
/// the same replica), prefix-load (where most of the prompt was sent before, unless that one is busier by more than it
/// saves). Errors: another name.
Result<std::unique_ptr<Router>> make_router(const std::string& policy, uint64_t seed);

}  // namespace gossamer::simulator
