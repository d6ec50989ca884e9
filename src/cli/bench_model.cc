#include "cli/bench_model.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <fstream>

#include "base/cpu.h"
#include "base/json.h"
#include "base/memory_bandwidth.h"
#include "cli/bar_chart.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/roofline.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kMemoryTestBytes = 2ull << 30;  // far more than caches hold
constexpr int kMemoryTestPasses = 3;

/// "128,512": numbers of tokens or sequences.
Result<std::vector<uint32_t>> parse_counts(const std::string& option, const std::string& text, uint32_t least) {
  std::vector<uint32_t> counts;
  const char *at = text.data(), *const end = at + text.size();
  while (at != end) {
    uint32_t count = 0;
    const auto [after, error] = std::from_chars(at, end, count);
    if (error != std::errc() || (after != end && *after != ',') || count < least)
      return make_error(ErrorCode::kInvalidInput, "{} \"{}\" is no list of numbers from {} on; write 128,512", option,
                        text, least);
    counts.push_back(count);
    at = after == end ? end : after + 1;
  }
  return counts;
}

Result<RateOptions> parse(const ModelBenchOptions& options) {
  RateOptions rates;
  GOS_TRY(rates.prefill_tokens, parse_counts("--pp", options.prefill_tokens, 1));
  GOS_TRY(rates.depths, parse_counts("--depth", options.depths, 0));
  GOS_TRY(rates.parallel, parse_counts("--parallel", options.parallel, 1));
  if (rates.depths.empty()) rates.depths = {0};
  rates.decode_tokens = options.decode_tokens;
  rates.runs = std::max(1u, options.runs);
  if (options.model.chosen_precision() == kernels::Precision::kF32) rates.kv_dtype = kernels::KvDtype::kF32;
  if (!options.kv_dtype.empty()) rates.kv_dtype = *kernels::parse_kv_dtype(options.kv_dtype);
  return rates;
}

/// Of this process, in bytes: private memory, and all with the pages of mapped files.
struct Resident {
  uint64_t anonymous = 0, all = 0;

  static Resident now() {
    Resident resident;
    std::ifstream status("/proc/self/status");
    std::string field;
    while (status >> field) {
      uint64_t kilobytes = 0;
      if (field == "RssAnon:" && status >> kilobytes) resident.anonymous = kilobytes * 1024;
      if (field == "VmRSS:" && status >> kilobytes) resident.all = kilobytes * 1024;
    }
    return resident;
  }
};

/// A loaded model, what this machine can do, and the figures.
struct Report {
  std::unique_ptr<LoadedModel> loaded;
  kernels::MeasuredBackend* backend = nullptr;  // of the model
  double load_seconds = 0;
  double huge_page_bytes_per_s = 0, mapped_bytes_per_s = 0;
  MachineLimits limits;
  std::vector<ModelRate> rates;
  Resident resident;

  Roofline roofline(const ModelRate& rate) const { return make_roofline(rate, loaded->model->config(), limits); }
  uint64_t model_bytes() const {
    uint64_t bytes = 0;
    for (const MmapFile& file : loaded->checkpoint.files()) bytes += file.size_bytes();
    return bytes;
  }
};

Result<Report> load(const ModelBenchOptions& options) {
  Report report;
  GOS_TRY(LoadOptions load_options, options.model.load_options());
  load_options.need_tokenizer = false;
  load_options.instrument = [&](std::unique_ptr<kernels::Backend> backend) {
    auto measured = std::make_unique<kernels::MeasuredBackend>(std::move(backend));
    report.backend = measured.get();
    return measured;
  };
  const auto start = std::chrono::steady_clock::now();
  GOS_TRY(report.loaded, options.model.load(load_options));
  report.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

/// The largest of the model's files, as much of it as is enough to measure.
std::span<const std::byte> mapped_weights(const LoadedModel& loaded) {
  std::span<const std::byte> largest;
  for (const MmapFile& file : loaded.checkpoint.files())
    if (file.size_bytes() > largest.size()) largest = file.bytes();
  return largest.first(std::min<size_t>(largest.size(), kMemoryTestBytes));
}

void measure_limits(Report& report) {
  ThreadPool& threads = *report.loaded->threads;
  const std::span<const std::byte> file = mapped_weights(*report.loaded);
  report.huge_page_bytes_per_s = read_bandwidth(threads, kMemoryTestBytes, kMemoryTestPasses);
  report.mapped_bytes_per_s = read_bandwidth(threads, file, kMemoryTestPasses);
  drop_resident(file);
  report.limits.memory_bytes_per_s =
      report.loaded->model->is_private() ? report.huge_page_bytes_per_s : report.mapped_bytes_per_s;
  report.limits.arithmetic = report.backend->measure_arithmetic();
}

void print_head(const Report& report, Output& out) {
  const LoadedModel& loaded = *report.loaded;
  out.line(fmt::format("{}: {:.2f} GB, loaded in {:.1f} s", loaded.checkpoint.name(),
                       static_cast<double>(report.model_bytes()) / 1e9, report.load_seconds));
  out.line(fmt::format("{}, {} threads, backend {}", cpu_name(), loaded.threads->num_threads(),
                       loaded.model->backend().name()));
  out.line(fmt::format(
      "limits: memory {:.1f} GB/s in huge pages, {:.1f} in a mapped file; products {:.0f} GFLOP/s in float32, {:.0f} "
      "with rounded inputs",
      report.huge_page_bytes_per_s / 1e9, report.mapped_bytes_per_s / 1e9, report.limits.arithmetic.float_flops / 1e9,
      report.limits.arithmetic.rounded_flops / 1e9));
  out.line(fmt::format("\n{:<16}{:>10}{:>10}{:>10}{:>10}{:>10}{:>14}", "tokens/s", "min", "median", "max", "GB/s",
                       "GFLOP/s", "of the limit"));
}

void print_rate(const Report& report, const ModelRate& rate, bool stages, Output& out) {
  const Roofline roofline = report.roofline(rate);
  const double median = rate.median();
  out.line(fmt::format("{:<16}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.1f}{:>10.0f}{:>12.0f} %", rate.name,
                       rate.tokens_per_second.front(), median, rate.tokens_per_second.back(),
                       median * roofline.bytes / 1e9, median * roofline.flops / 1e9,
                       100 * median / roofline.limit_tokens_per_s));
  if (!stages) return;
  for (const StageRow& stage : roofline.stages)
    out.line(fmt::format("  {:<20}{:>8.1f} %{:>9.3f} ms{:>20.1f}{:>10.0f}{:>12.0f} %", stage.name,
                         100 * stage.seconds * rate.tokens / rate.seconds, stage.seconds * 1e3,
                         stage.bytes / stage.seconds / 1e9, stage.flops / stage.seconds / 1e9,
                         100 * stage.limit_seconds / stage.seconds));
}

json::object to_json(const Report& report, const ModelRate& rate) {
  const Roofline roofline = report.roofline(rate);
  const double median = rate.median();
  json::array stages;
  for (const StageRow& stage : roofline.stages)
    stages.push_back(json::object{{"stage", stage.name},
                                  {"ms_per_token", stage.seconds * 1e3},
                                  {"gb_per_s", stage.bytes / stage.seconds / 1e9},
                                  {"gflop_per_s", stage.flops / stage.seconds / 1e9},
                                  {"of_limit", stage.limit_seconds / stage.seconds}});
  return {{"figure", rate.name},
          {"unit", "tok/s"},
          {"min", rate.tokens_per_second.front()},
          {"median", median},
          {"max", rate.tokens_per_second.back()},
          {"runs", rate.tokens_per_second.size()},
          {"gb_per_s", median * roofline.bytes / 1e9},
          {"gflop_per_s", median * roofline.flops / 1e9},
          {"limit", roofline.limit_tokens_per_s},
          {"of_limit", median / roofline.limit_tokens_per_s},
          {"stages", std::move(stages)}};
}

json::object to_json(const Report& report) {
  const LoadedModel& loaded = *report.loaded;
  json::array figures;
  for (const ModelRate& rate : report.rates) figures.push_back(to_json(report, rate));
  return {{"engine", "gossamer " GOSSAMER_VERSION},
          {"model", loaded.checkpoint.name()},
          {"model_bytes", report.model_bytes()},
          {"threads", loaded.threads->num_threads()},
          {"backend", loaded.model->backend().name()},
          {"system_info", cpu_name()},
          {"load_s", report.load_seconds},
          {"rss_anon_mb", static_cast<double>(report.resident.anonymous) / 1e6},
          {"rss_mb", static_cast<double>(report.resident.all) / 1e6},
          {"limits", json::object{{"huge_pages_gb_per_s", report.huge_page_bytes_per_s / 1e9},
                                  {"mapped_file_gb_per_s", report.mapped_bytes_per_s / 1e9},
                                  {"float32_gflop_per_s", report.limits.arithmetic.float_flops / 1e9},
                                  {"rounded_gflop_per_s", report.limits.arithmetic.rounded_flops / 1e9}}},
          {"figures", std::move(figures)}};
}

Status draw(const Report& report, const std::string& path) {
  std::vector<Bar> bars;
  for (const ModelRate& rate : report.rates) {
    const double share = rate.median() / report.roofline(rate).limit_tokens_per_s;
    bars.push_back({rate.name, fmt::format("{:.1f} tok/s, {:.0f} %", rate.median(), 100 * share), share});
  }
  std::ofstream file(path);
  file << draw_bars(report.loaded->checkpoint.name() + ": tokens a second, of what the machine could do",
                    fmt::format("{}, {} threads, {}", cpu_name(), report.loaded->threads->num_threads(),
                                report.loaded->model->backend().name()),
                    bars);
  if (!file.flush()) return make_error(ErrorCode::kIo, "cannot write {}", path);
  return {};
}

Status run(const ModelBenchOptions& options, Output& out) {
  GOS_TRY(const RateOptions rate_options, parse(options));
  GOS_TRY(Report report, load(options));
  ProgressLine progress;
  progress.update("measuring the machine", 0, 0);
  measure_limits(report);
  progress.clear();
  if (!options.json) print_head(report, out);
  uint64_t passes = 0;
  GOS_TRY(report.rates, measure_rates(
                            *report.loaded, *report.backend, rate_options,
                            [&](const ModelRate& rate) {
                              progress.clear();
                              if (!options.json) print_rate(report, rate, options.stages, out);
                            },
                            [&] {
                              progress.update("passes over the model", ++passes, 0);
                              return !InterruptGuard::requested();
                            }));
  progress.clear();
  report.resident = Resident::now();
  if (options.json)
    out.line(harmony::compact_json(to_json(report)));
  else
    out.line(fmt::format("\nresident: {:.2f} GB, {:.2f} with pages of the file",
                         static_cast<double>(report.resident.anonymous) / 1e9,
                         static_cast<double>(report.resident.all) / 1e9));
  return options.chart.empty() ? Status{} : draw(report, options.chart);
}

}  // namespace

void ModelBenchOptions::declare(Options& options) {
  options.text("--pp,-p,--n-prompt", prefill_tokens, "model: prompts of these lengths", "N,N");
  options.count("--tg,--n-gen", decode_tokens, "model: steps of decode in a run, 0 for none");
  options.text("-d,--depth,--n-depth", depths, "model: tokens before decode begins", "N,N");
  options.text("--parallel", parallel, "model: also so many sequences that decode together, at the first depth", "N,N");
  options.count("-r,--runs,--repeat,--repetitions", runs, "model: runs of each figure");
  options.flag("--stages", stages, "model: also where the time of each figure went");
  options.text("--chart", chart, "model: also draws the figures, as SVG", "FILE");
}

int bench_model(const ModelBenchOptions& options) {
  InterruptGuard interrupt;
  Output out;
  if (const Status done = run(options, out); !done.ok()) return fail(done.error());
  const int code = out.close();
  return InterruptGuard::requested() ? kInterrupted : code;
}

}  // namespace gossamer::cli
