#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "harmony/json_text.h"
#include "simulator/chart.h"

namespace gossamer::cli {
namespace {

struct SimulateOptions {
  std::string trace, machine = "20b-h100", chart;
  std::string policy = "least-requests";
  uint32_t replicas = 1;
  std::optional<uint64_t> seed, limit;
  std::optional<float> rate, seconds, speedup, ttft_limit, tpot_limit, tpot_goal;
  uint32_t max_rows = 64, step_tokens = 512;
  bool json = false;
};

Result<std::vector<simulator::TraceRequest>> load_trace(const SimulateOptions& options) {
  std::vector<simulator::TraceRequest> trace;
  if (options.trace.empty()) {
    simulator::SyntheticTrace made_up;
    made_up.requests_per_second = options.rate.value_or(4.0f * static_cast<float>(options.replicas));
    made_up.seconds = options.seconds.value_or(60);
    made_up.seed = options.seed.value_or(1);
    trace = simulator::make_trace(made_up);
  } else {
    GOS_TRY(trace, simulator::read_trace(options.trace));
    if (options.seconds)
      std::erase_if(trace, [&](const auto& request) { return request.arrival_seconds > *options.seconds; });
  }
  if (options.limit && trace.size() > *options.limit) trace.resize(*options.limit);
  return trace;
}

json::object to_json(const simulator::SimulationResult& r, const SimulateOptions& options) {
  const auto spread = [](const Percentiles& p) { return json::object{{"p50", p.p50}, {"p90", p.p90}, {"p99", p.p99}}; };
  return {{"policy", options.policy},
          {"machine", options.machine},
          {"replicas", options.replicas},
          {"requests", r.requests},
          {"finished", r.finished},
          {"too_long", r.too_long},
          {"refused", r.refused},
          {"seed", options.seed.value_or(1)},
          {"virtual_s", r.virtual_seconds},
          {"wall_s", r.wall_seconds},
          {"ttft_ms", spread(r.ttft_ms)},
          {"tpot_ms", spread(r.tpot_ms)},
          {"itl_ms", spread(r.itl_ms)},
          {"goodput_req_per_s", r.goodput_per_second},
          {"hit_rate", r.hit_rate},
          {"fairness", r.fairness},
          {"input_tokens", r.input_tokens},
          {"cached_tokens", r.cached_tokens},
          {"output_tokens", r.output_tokens},
          {"steps", r.steps},
          {"preemptions", r.preemptions}};
}

void print_table(const simulator::SimulationResult& r, const SimulateOptions& options, Output& out) {
  out.line(fmt::format("{} replica{} of {}, {}: {} requests in {:.1f} virtual seconds ({:.1f} s here, {} steps)",
                       options.replicas, options.replicas == 1 ? "" : "s", options.machine, options.policy, r.requests,
                       r.virtual_seconds, r.wall_seconds, r.steps));
  out.line(fmt::format("{:<22}{:>12}{:>12}{:>12}", "", "p50", "p90", "p99"));
  out.line(fmt::format("{:<22}{:>12.1f}{:>12.1f}{:>12.1f}  ms", "first token (TTFT)", r.ttft_ms.p50, r.ttft_ms.p90,
                       r.ttft_ms.p99));
  out.line(fmt::format("{:<22}{:>12.1f}{:>12.1f}{:>12.1f}  ms", "per token (TPOT)", r.tpot_ms.p50, r.tpot_ms.p90,
                       r.tpot_ms.p99));
  out.line(
      fmt::format("{:<22}{:>12.1f}{:>12.1f}{:>12.1f}  ms", "between tokens", r.itl_ms.p50, r.itl_ms.p90, r.itl_ms.p99));
  out.line(fmt::format("finished {}, refused {}, too long {}; {} preemptions", r.finished, r.refused, r.too_long,
                       r.preemptions));
  out.line(fmt::format("goodput {:.2f} requests/s; hit rate {:.1f} %; fairness {:.3f}", r.goodput_per_second,
                       100 * r.hit_rate, r.fairness));
}

Result<int> simulate(const SimulateOptions& options) {
  simulator::SimulationOptions world;
  GOS_TRY(world.machine, simulator::find_machine(options.machine));
  if (options.replicas == 0 || options.replicas > 10'000)
    return make_error(ErrorCode::kInvalidInput, "--replicas is {}, but 1 to 10000 are possible", options.replicas);
  world.replicas = options.replicas;
  for (const auto& [name, value] : {std::pair{"--rate", options.rate},
                                    {"--seconds", options.seconds},
                                    {"--speedup", options.speedup},
                                    {"--ttft-limit", options.ttft_limit},
                                    {"--tpot-limit", options.tpot_limit},
                                    {"--tpot-goal", options.tpot_goal}})
    if (value && !(*value >= 1e-3f && *value <= 1e7f))
      return make_error(ErrorCode::kInvalidInput, "{} is {}, but it must be between 0.001 and 10000000", name, *value);
  if (options.max_rows == 0 || options.max_rows > 4096 || options.step_tokens == 0 || options.step_tokens > 65536)
    return make_error(ErrorCode::kInvalidInput,
                      "--max-rows {} and --step-tokens {}: 1 to 4096 and 1 to 65536 are possible", options.max_rows,
                      options.step_tokens);
  world.policy = options.policy;
  world.seed = options.seed.value_or(1);
  world.speedup = options.speedup.value_or(1);
  world.limits.max_rows = options.max_rows;
  world.limits.max_step_tokens = options.step_tokens;
  world.tpot_goal_seconds = options.tpot_goal.value_or(0) / 1e3;
  world.ttft_limit_seconds = options.ttft_limit.value_or(2000) / 1e3;
  world.tpot_limit_seconds = options.tpot_limit.value_or(100) / 1e3;
  GOS_TRY(const std::vector<simulator::TraceRequest> trace, load_trace(options));
  ProgressLine progress;
  GOS_TRY(const simulator::SimulationResult result, simulator::simulate(trace, world, [&](double done, double all) {
            progress.update("virtual seconds", static_cast<uint64_t>(done), static_cast<uint64_t>(all));
          }));
  progress.clear();
  Output out;
  if (options.json)
    out.line(harmony::compact_json(to_json(result, options)));
  else
    print_table(result, options, out);
  const int code = out.close();
  if (!options.chart.empty()) {
    std::ofstream file(options.chart);
    file << simulator::draw_chart(result,
                                  fmt::format("{} x {}, {}", options.replicas, options.machine, options.policy));
    if (!file.flush()) return make_error(ErrorCode::kIo, "cannot write {}", options.chart);
  }
  return code;
}

}  // namespace

Command simulate_command() {
  return {"simulate", "Replay a day of requests on imagined machines, with the real scheduler",
          "  gossamer simulate --replicas 4 --policy prefix-load --chart day.svg\n"
          "  gossamer simulate --trace BurstGPT_1.csv --seconds 600 --machine 20b-h100\n"
          "  gossamer simulate --trace conversation_trace.jsonl --speedup 2 --replicas 8 --json",
          [](Options& options) {
            auto chosen = std::make_shared<SimulateOptions>();
            options.text("--trace", chosen->trace,
                         "BurstGPT's or Azure's CSV, or Mooncake's JSON lines (default: made-up conversations)",
                         "FILE");
            options.text("--machine", chosen->machine,
                         "20b-cpu2, 20b-h100, 120b-h100, or FIXED,TOKEN,KV,ATTENTION,EXPERTS,PAGES (docs/simulator.md)",
                         "NAME");
            options.count("--replicas", chosen->replicas, "Machines behind a router, up to 10000");
            options.choice("--policy", chosen->policy,
                           {"random", "round-robin", "least-requests", "power-of-two", "prefix-hash", "prefix-load"},
                           "How the router chooses");
            options.number("--rate", chosen->rate, "Made-up requests a second (default: 4 a replica)");
            options.number("--seconds", chosen->seconds, "How long the day is (default: 60; a trace: all of it)");
            options.number("--speedup", chosen->speedup, "Runs the trace so many times faster");
            options.integer("--limit", chosen->limit, "At most so many requests");
            options.count("--max-rows", chosen->max_rows, "Sequences that a replica runs at once");
            options.count("--step-tokens", chosen->step_tokens, "Tokens of a step at most");
            options.number(
                "--tpot-goal", chosen->tpot_goal,
                "Milliseconds a step may take while answers are written (default: 1.7 times one without prompts)");
            options.number("--ttft-limit", chosen->ttft_limit,
                           "Goodput counts requests within this, in ms (default: 2000)");
            options.number("--tpot-limit", chosen->tpot_limit, "And within this per token, in ms (default: 100)");
            options.integer("--seed", chosen->seed, "Of the made-up trace and of random routing (default: 1)");
            options.text("--chart", chosen->chart, "Also draws the run, as SVG", "FILE");
            options.flag("--json", chosen->json, "Print one JSON object");
            return [chosen] {
              const Result<int> code = simulate(*chosen);
              return code.ok() ? *code : fail(code.error());
            };
          }};
}

}  // namespace gossamer::cli
