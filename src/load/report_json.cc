#include "load/report_json.h"

#include <algorithm>

namespace gossamer::load {
namespace {

json::value to_json(const Distribution& values) {
  if (values.count() == 0) return nullptr;
  return {{"mean", values.mean()},       {"min", values.min()},          {"p50", values.quantile(0.5)},
          {"p90", values.quantile(0.9)}, {"p99", values.quantile(0.99)}, {"max", values.max()}};
}

json::object to_json(const LoadPlan& plan) {
  const auto positive = [](auto number) { return number > 0 ? json::value(number) : json::value(nullptr); };
  return {{"endpoint", plan.request.endpoint == Endpoint::kChat ? "chat/completions" : "completions"},
          {"stream", plan.request.stream},
          {"max_tokens", positive(plan.request.max_tokens)},
          {"concurrency", positive(plan.pace.concurrency)},
          {"requests", positive(plan.pace.requests)},
          {"duration_s", positive(plan.pace.duration_seconds)},
          {"rate", positive(plan.pace.rate)},
          {"timeout_s", positive(plan.request.timeout_seconds)}};
}

json::object to_json(const LoadSide& side) {
  const LoadResult& result = side.result;
  const Tally& tally = result.tally;
  const double seconds = std::max(result.wall_seconds, 1e-9);
  const auto rate = [&](uint64_t count) { return static_cast<double>(count) / seconds; };
  json::object errors;
  for (const auto& [kind, of_kind] : tally.errors)
    errors[kind] = {{"count", of_kind.count}, {"example", of_kind.example}};
  json::object object = {{"url", side.url},
                         {"model", side.plan.request.model},
                         {"plan", to_json(side.plan)},
                         {"stopped", result.stopped},
                         {"requests", tally.answered},
                         {"failed", tally.failed},
                         {"unfinished", tally.unfinished},
                         {"wall_s", result.wall_seconds},
                         {"req_per_s", rate(tally.answered)},
                         {"output_tok_per_s", rate(tally.output_tokens)},
                         {"input_tok_per_s", rate(tally.input_tokens)},
                         {"events_per_s", rate(tally.events)},
                         {"input_tokens", tally.input_tokens},
                         {"output_tokens", tally.output_tokens},
                         {"events", tally.events}};
  for (const Latency& latency : latencies_of(tally)) object[latency.key] = to_json(latency.milliseconds);
  object["errors"] = std::move(errors);
  return object;
}

json::object ratio(const LoadSide& first, const LoadSide& second) {
  const std::vector<Figure> ours = figures_of(first.result), theirs = figures_of(second.result);
  json::object ratios;
  for (size_t i = 0; i < ours.size(); ++i)
    if (ours[i].known && theirs[i].known && theirs[i].value > 0) ratios[ours[i].key] = ours[i].value / theirs[i].value;
  return ratios;
}

}  // namespace

json::object report_json(const std::vector<LoadSide>& sides) {
  if (sides.size() != 2) return to_json(sides.at(0));
  return {{"servers", {to_json(sides[0]), to_json(sides[1])}}, {"ratio", ratio(sides[0], sides[1])}};
}

}  // namespace gossamer::load
