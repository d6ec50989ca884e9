#include "simulator/router.h"

#include <algorithm>
#include <unordered_map>

namespace gossamer::simulator {
namespace {

uint32_t count_of(const std::vector<ReplicaLoad>& replicas) {
  return static_cast<uint32_t>(replicas.size());
}

bool less_busy(const ReplicaLoad& a, const ReplicaLoad& b) {
  return a.requests != b.requests ? a.requests < b.requests : a.prompt_tokens < b.prompt_tokens;
}

class RandomRouter : public Router {
 public:
  explicit RandomRouter(uint64_t seed) : random_(seed) {}
  uint32_t choose(const TraceRequest&, const std::vector<ReplicaLoad>& replicas) override {
    return static_cast<uint32_t>(random_() % replicas.size());
  }

 private:
  std::mt19937_64 random_;
};

class RoundRobinRouter : public Router {
 public:
  uint32_t choose(const TraceRequest&, const std::vector<ReplicaLoad>& replicas) override {
    return next_++ % count_of(replicas);
  }

 private:
  uint32_t next_ = 0;
};

class LeastRequestsRouter : public Router {
 public:
  uint32_t choose(const TraceRequest&, const std::vector<ReplicaLoad>& replicas) override {
    return static_cast<uint32_t>(std::min_element(replicas.begin(), replicas.end(), less_busy) - replicas.begin());
  }
};

class PowerOfTwoRouter : public Router {
 public:
  explicit PowerOfTwoRouter(uint64_t seed) : random_(seed) {}
  uint32_t choose(const TraceRequest&, const std::vector<ReplicaLoad>& replicas) override {
    const auto a = static_cast<uint32_t>(random_() % replicas.size());
    const auto b = static_cast<uint32_t>(random_() % replicas.size());
    return less_busy(replicas[b], replicas[a]) ? b : a;
  }

 private:
  std::mt19937_64 random_;
};

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0xff51afd7ed558ccdull;
  return hash ^ hash >> 33;
}

/// Equal beginnings (the first two blocks) go to the same replica, whatever else is there. A prompt without named
/// blocks begins like no other.
class PrefixHashRouter : public Router {
 public:
  uint32_t choose(const TraceRequest& request, const std::vector<ReplicaLoad>& replicas) override {
    uint64_t prefix = request.tenant + 1;
    for (size_t i = 0; i < std::min<size_t>(2, request.blocks.size()); ++i) prefix = mix(prefix, request.blocks[i]);
    if (request.blocks.empty()) prefix = mix(prefix, ++without_blocks_);
    return static_cast<uint32_t>(mix(prefix, 0x9e3779b97f4a7c15ull) % replicas.size());
  }

 private:
  uint64_t without_blocks_ = 0;
};

/// Remembers where each beginning was sent last.
class PrefixLoadRouter : public Router {
 public:
  uint32_t choose(const TraceRequest& request, const std::vector<ReplicaLoad>& replicas) override {
    const auto least =
        static_cast<uint32_t>(std::min_element(replicas.begin(), replicas.end(), less_busy) - replicas.begin());
    uint32_t best = least;
    double best_cost = cost(replicas[least], request.input_tokens);
    uint64_t prefix = request.tenant + 1;
    for (size_t i = 0; i < request.blocks.size(); ++i) {
      prefix = mix(prefix, request.blocks[i]);
      const auto sent = last_.find(prefix);
      if (sent == last_.end()) break;
      const uint64_t known = std::min<uint64_t>((i + 1) * kTraceBlockTokens, request.input_tokens);
      const double here = cost(replicas[sent->second], request.input_tokens - static_cast<uint32_t>(known));
      if (here < best_cost) best_cost = here, best = sent->second;
    }
    prefix = request.tenant + 1;
    for (const uint64_t block : request.blocks) last_[prefix = mix(prefix, block)] = best;
    return best;
  }

 private:
  /// Tokens to wait for and to compute; an answer in the making slows a prompt down like some of its tokens would.
  static double cost(const ReplicaLoad& load, uint32_t uncached_tokens) {
    constexpr double kTokensOfAnAnswer = 50;
    return static_cast<double>(load.prompt_tokens) + kTokensOfAnAnswer * load.requests + uncached_tokens;
  }
  std::unordered_map<uint64_t, uint32_t> last_;
};

}  // namespace

Result<std::unique_ptr<Router>> make_router(const std::string& policy, uint64_t seed) {
  std::unique_ptr<Router> router;
  if (policy == "random") router = std::make_unique<RandomRouter>(seed);
  if (policy == "round-robin") router = std::make_unique<RoundRobinRouter>();
  if (policy == "least-requests") router = std::make_unique<LeastRequestsRouter>();
  if (policy == "power-of-two") router = std::make_unique<PowerOfTwoRouter>(seed);
  if (policy == "prefix-hash") router = std::make_unique<PrefixHashRouter>();
  if (policy == "prefix-load") router = std::make_unique<PrefixLoadRouter>();
  if (!router)
    return make_error(ErrorCode::kInvalidInput,
                      "\"{}\" is no routing policy; there are random, round-robin, least-requests, power-of-two, "
                      "prefix-hash and prefix-load",
                      policy);
  return router;
}

}  // namespace gossamer::simulator
