#include "cli/bench_throughput.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/free_memory.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint32_t kConcurrency = 16;

json::object to_json(const Percentiles& p) {
  return {{"p50", p.p50}, {"p90", p.p90}, {"p99", p.p99}};
}

json::object to_json(const ThroughputResult& r) {
  const double seconds = std::max(r.wall_seconds, 1e-9);
  return {{"requests", r.requests},
          {"wall_s", r.wall_seconds},
          {"req_per_s", r.requests / seconds},
          {"output_tok_per_s", static_cast<double>(r.output_tokens) / seconds},
          {"input_tok_per_s", static_cast<double>(r.input_tokens) / seconds},
          {"input_tokens", r.input_tokens},
          {"output_tokens", r.output_tokens},
          {"cached_tokens", r.cached_tokens},
          {"ttft_ms", to_json(r.ttft_ms)},
          {"tpot_ms", to_json(r.tpot_ms)},
          {"itl_ms", to_json(r.itl_ms)},
          {"step_ms", to_json(r.step_ms)},
          {"batch", json::object{{"mean", r.mean_rows}, {"most", r.most_rows}}},
          {"pages", json::object{{"most", r.most_pages}, {"all", r.num_pages}}},
          {"preemptions", r.preemptions}};
}

void print_table(const ThroughputResult& r, Output& out) {
  const double seconds = std::max(r.wall_seconds, 1e-9);
  const auto line = [&](std::string_view name, const Percentiles& p) {
    out.line(fmt::format("{:<22}{:>10.1f}{:>10.1f}{:>10.1f}  ms", name, p.p50, p.p90, p.p99));
  };
  out.line(fmt::format("{} requests in {:.1f} s: {:.2f} requests/s", r.requests, r.wall_seconds, r.requests / seconds));
  out.line(fmt::format("tokens in  {:>10} {:>10.1f} tok/s  ({} from the prefix cache)", r.input_tokens,
                       static_cast<double>(r.input_tokens) / seconds, r.cached_tokens));
  out.line(fmt::format("tokens out {:>10} {:>10.1f} tok/s", r.output_tokens,
                       static_cast<double>(r.output_tokens) / seconds));
  out.line(fmt::format("{:<22}{:>10}{:>10}{:>10}", "", "p50", "p90", "p99"));
  line("first token (TTFT)", r.ttft_ms);
  line("per token (TPOT)", r.tpot_ms);
  line("between tokens", r.itl_ms);
  line("step", r.step_ms);
  out.line(fmt::format("rows a step {:.1f}, at most {}; pages in use at most {} of {}; {} preemptions", r.mean_rows,
                       r.most_rows, r.most_pages, r.num_pages, r.preemptions));
}

/// Options of the command line, and below them those of the file.
struct Settings {
  ThroughputOptions options;
  EngineOptions engine;
  double cache_share = 0;
};

Result<Settings> settle(ThroughputOptions options) {
  Settings settings;
  ThroughputConfig config;
  if (!options.config.empty()) {
    GOS_TRY(config, read_throughput_config(options.config));
  }
  for (const std::string& warning : config.warnings) fmt::print(stderr, "gossamer: {}\n", warning);
  const auto take = [](std::string& value, const std::string& from_file) {
    if (value.empty()) value = from_file;
  };
  take(options.model.model, config.model);
  take(options.model.model, kDemoModel);
  take(options.work.dataset, config.dataset);
  take(options.work.input_tokens, config.input_tokens);
  take(options.work.output_tokens, config.output_tokens);
  take(options.engine.kv_dtype, config.kv_dtype);
  if (options.concurrency == 0) options.concurrency = config.max_batch_size ? config.max_batch_size : kConcurrency;
  if (options.engine.kv_memory.empty()) settings.cache_share = config.cache_share;
  GOS_TRY(settings.engine, options.engine.resolve(options.model.chosen_precision()));
  settings.engine.limits.max_rows = options.concurrency;
  settings.engine.populate = true;
  settings.options = std::move(options);
  return settings;
}

Result<ThroughputResult> measure(const ThroughputOptions& chosen) {
  GOS_TRY(Settings settings, settle(chosen));
  const ThroughputOptions& options = settings.options;
  GOS_TRY(const std::unique_ptr<LoadedModel> loaded, options.model.load(/*need_tokenizer=*/false));
  if (auto tokenizer = loaded->checkpoint.load_tokenizer(); tokenizer.ok()) loaded->tokenizer = std::move(*tokenizer);
  if (settings.cache_share > 0 && !loaded->model->elsewhere())  // on a device the cache has what its budget leaves
    settings.engine.kv_bytes = static_cast<uint64_t>(settings.cache_share * static_cast<double>(free_memory_bytes()));
  GOS_TRY(const std::unique_ptr<Engine> engine, Engine::start(*loaded, settings.engine));
  GOS_TRY(const std::vector<WorkItem> items,
          make_workload(options.work,
                        {loaded->tokenizer.get(), loaded->model->config().vocab_size, engine->max_sequence_tokens()}));
  if (!options.json) fmt::print(stderr, "{}\n", engine->capacity());
  ProgressLine progress;
  return measure_throughput(*engine, items, options.concurrency, [&](uint32_t done, uint32_t all) {
    progress.update("requests answered", done, all);
    return !InterruptGuard::requested();
  });
}

}  // namespace

void ThroughputOptions::declare(Options& options) {
  model.declare_computing(options);
  engine.declare(options);
  options.count("-n,--requests,--num-prompts", work.requests, "How many requests");
  options.count("-c,--concurrency,--max-concurrency,--max-num-seqs,--max-batch-size", concurrency,
                "How many of them at once (default: 16)");
  options.text("--input-len,--random-input-len", work.input_tokens,
               "Tokens of a prompt: 512, or 100-900 for any between (default: 512)", "N");
  options.text("--output-len,--random-output-len", work.output_tokens,
               "Tokens of an answer (default: 128, or what the dataset's answers have)", "N");
  options.text("--dataset,--dataset-path", work.dataset, "Prompts and lengths from ShareGPT's JSON", "FILE");
  options.integer("--seed", seed, "Of prompts and lengths (default: 1)");
  options.text("--config", config, "Settings as LMDeploy writes them (YAML); the command line comes first", "FILE");
}

int bench_throughput(ThroughputOptions options) {
  options.work.seed = options.seed.value_or(1);
  InterruptGuard interrupt;
  const Result<ThroughputResult> result = measure(options);
  if (!result.ok()) return fail(result.error());
  Output out;
  if (options.json)
    out.line(harmony::compact_json(to_json(*result)));
  else
    print_table(*result, out);
  const int code = out.close();
  return InterruptGuard::requested() ? kInterrupted : code;
}

}  // namespace gossamer::cli
