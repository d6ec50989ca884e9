#pragma once

#include <string>
#include <vector>

#include "load/load_run.h"

namespace gossamer::load {

/// A server, what was asked of it and what came of it.
struct LoadSide {
  std::string url;
  LoadPlan plan;
  LoadResult result = {};
};

/// One number of a result.
struct Figure {
  std::string key;   ///< in JSON: "req_per_s", "latency_ms.p50"
  std::string name;  ///< for people: "requests/s", "latency p50"
  std::string unit;  ///< "ms", "/s"
  double value = 0;
  bool known = true;  ///< false: nothing was there to measure
};

/// One kind of latency of a result.
struct Latency {
  const char* key;   ///< "ttft_ms"
  const char* name;  ///< "first token (TTFT)"
  const Distribution& milliseconds;
};

/// Latencies in the order in which they are shown; those that nothing was measured of are there too.
std::vector<Latency> latencies_of(const Tally& tally);

/// Rates, then p50, p90 and p99 of each latency: always the same ones in the same order.
std::vector<Figure> figures_of(const LoadResult& result);

/// What was asked, in words: "256 at once, 2000 requests, 128 tokens at most, streamed chat completions".
std::string describe(const LoadPlan& plan);

}  // namespace gossamer::load
