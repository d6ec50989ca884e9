#include "load/figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer::load {

std::vector<Latency> latencies_of(const Tally& tally) {
  return {{"latency_ms", "latency", tally.latency_ms},
          {"ttft_ms", "first token (TTFT)", tally.ttft_ms},
          {"tpot_ms", "per token (TPOT)", tally.tpot_ms},
          {"itl_ms", "between tokens (ITL)", tally.itl_ms},
          {"added_ms", "latency less engine's", tally.added_ms}};
}

std::vector<Figure> figures_of(const LoadResult& result) {
  const double seconds = std::max(result.wall_seconds, 1e-9);
  const Tally& tally = result.tally;
  const auto rate = [&](uint64_t count) { return static_cast<double>(count) / seconds; };
  std::vector<Figure> figures = {{"req_per_s", "requests/s", "/s", rate(tally.answered)},
                                 {"output_tok_per_s", "tokens out/s", "/s", rate(tally.output_tokens)},
                                 {"events_per_s", "texts/s", "/s", rate(tally.events)},
                                 {"input_tok_per_s", "tokens in/s", "/s", rate(tally.input_tokens)}};
  for (const Latency& latency : latencies_of(tally))
    for (const int percent : {50, 90, 99})
      figures.push_back({fmt::format("{}.p{}", latency.key, percent), fmt::format("{} p{}", latency.name, percent),
                         "ms", latency.milliseconds.quantile(percent / 100.0), latency.milliseconds.count() > 0});
  return figures;
}

std::string describe(const LoadPlan& plan) {
  const RequestPlan& request = plan.request;
  const Pace& pace = plan.pace;
  std::string text;
  if (pace.rate > 0) text += fmt::format("{:g} requests a second, ", pace.rate);
  if (pace.concurrency > 0) text += fmt::format("{} at once, ", pace.concurrency);
  if (pace.requests > 0) text += fmt::format("{} requests, ", pace.requests);
  if (pace.duration_seconds > 0) text += fmt::format("{:g} s, ", pace.duration_seconds);
  if (request.max_tokens > 0) text += fmt::format("{} tokens at most, ", request.max_tokens);
  if (request.timeout_seconds > 0) text += fmt::format("timeout {:g} s, ", request.timeout_seconds);
  text += request.stream ? "streamed " : "whole ";
  return text + (request.endpoint == Endpoint::kChat ? "chat completions" : "completions");
}

}  // namespace gossamer::load
