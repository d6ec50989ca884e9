#include "cli/bench_model.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/cpu.h"
#include "base/free_memory.h"
#include "base/json.h"
#include "base/memory_bandwidth.h"
#include "cli/bar_chart.h"
#include "cli/command.h"
#include "cli/count_list.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/roofline.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kMappedTestBytes = 2ull << 30;  // far more than caches hold
constexpr int kMemoryTestPasses = 3;
constexpr uint64_t kUsualCacheBytes = 32ull << 20;  // where the system does not say

Result<RateOptions> parse(const ModelBenchOptions& options) {
  RateOptions rates;
  GOS_TRY(rates.prefill_tokens, parse_counts("--pp", options.prefill_tokens, 1));
  GOS_TRY(rates.depths, parse_counts("--depth", options.depths, 0));
  GOS_TRY(rates.parallel, parse_counts("--parallel", options.parallel, 1));
  if (rates.depths.empty()) rates.depths = {0};
  if (options.runs == 0)
    return make_error(ErrorCode::kInvalidInput, "--runs is 0, but a figure takes one run at least");
  if (options.chunk_tokens == 0)
    return make_error(ErrorCode::kInvalidInput, "--chunk is 0, but a chunk of a prompt has one token at least");
  rates.decode_tokens = options.decode_tokens;
  rates.runs = options.runs;
  rates.chunk_tokens = options.chunk_tokens;
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
  std::string file_name;                        // of the model's file or folder
  double load_seconds = 0;
  uint32_t chunk_tokens = 0;
  double huge_page_bytes_per_s = 0, mapped_bytes_per_s = 0;  // 0: too little memory to measure it
  uint64_t cache_bytes = 0;
  MachineLimits limits;
  std::vector<ModelRate> rates;
  Resident resident;

  Roofline roofline(const ModelRate& rate) const { return make_roofline(rate, loaded->model->config(), limits); }
  uint64_t model_bytes() const {
    uint64_t bytes = 0;
    for (const MmapFile& file : loaded->checkpoint.files()) bytes += file.size_bytes();
    return bytes;
  }
  bool fits_caches() const { return model_bytes() <= cache_bytes; }
};

/// Errors: there is no such model, or its context is too short. Only headers are read.
Status check_model(const std::string& path, const RateOptions& rate_options) {
  GOS_TRY(const Checkpoint checkpoint, Checkpoint::open(path));
  return check_lengths(rate_options, checkpoint.config());
}

/// Errors: `path` cannot be written. What is there stays as it is.
Status check_writable(const std::string& path) {
  std::error_code ignored;
  const bool is_new = !std::filesystem::exists(path, ignored);
  if (!std::ofstream(path, std::ios::app)) return make_error(ErrorCode::kIo, "cannot write {}", path);
  if (is_new) std::filesystem::remove(path, ignored);
  return {};
}

/// "model.gguf" of "models/model.gguf", "model" of "models/model/".
std::string file_name(const std::string& path) {
  const std::filesystem::path whole = std::filesystem::path(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Result<Report> load(const ModelBenchOptions& options, const std::string& path) {
  Report report;
  report.file_name = file_name(path);
  report.chunk_tokens = options.chunk_tokens;
  GOS_TRY(LoadOptions load_options, options.model.load_options());
  load_options.device.kind = DeviceChoice::Kind::kCpu;  // whose backend is measured
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
  return largest.first(std::min<size_t>(largest.size(), kMappedTestBytes));
}

void measure_memory(Report& report) {
  ThreadPool& threads = *report.loaded->threads;
  const std::span<const std::byte> file = mapped_weights(*report.loaded);
  report.huge_page_bytes_per_s = read_bandwidth(threads, bandwidth_test_bytes(free_memory_bytes()), kMemoryTestPasses);
  report.mapped_bytes_per_s = read_bandwidth(threads, file, kMemoryTestPasses);
  drop_resident(file);
  report.cache_bytes = last_cache_bytes();
  if (report.cache_bytes == 0) report.cache_bytes = kUsualCacheBytes;
}

void measure_limits(Report& report) {
  measure_memory(report);
  const bool is_private = report.loaded->model->is_private();
  if (!report.fits_caches())
    report.limits.memory_bytes_per_s = is_private ? report.huge_page_bytes_per_s : report.mapped_bytes_per_s;
  report.limits.arithmetic = report.backend->measure_arithmetic();
}

/// Why no figure has a limit; empty where they have one.
std::string why_no_limit(const Report& report) {
  if (report.fits_caches())
    return fmt::format("the weights, {:.1f} MB, fit into the processor's caches, {:.1f} MB: memory is no limit",
                       static_cast<double>(report.model_bytes()) / 1e6, static_cast<double>(report.cache_bytes) / 1e6);
  return report.limits.memory_bytes_per_s > 0 ? "" : "too little memory is free to measure it: no limit is known";
}

std::string bandwidth_text(double bytes_per_s) {
  return bytes_per_s > 0 ? fmt::format("{:.1f} GB/s", bytes_per_s / 1e9) : "(not measured)";
}

void print_head(const Report& report, Output& out) {
  const LoadedModel& loaded = *report.loaded;
  out.line(fmt::format("{}: {:.2f} GB, loaded in {:.1f} s", loaded.checkpoint.name(),
                       static_cast<double>(report.model_bytes()) / 1e9, report.load_seconds));
  out.line(fmt::format("{}, {} threads, backend {}", cpu_name(), loaded.threads->num_threads(),
                       loaded.model->backend().name()));
  out.line(
      fmt::format("limits: memory {} in huge pages, {} in a mapped file; products {:.0f} GFLOP/s in float32, {:.0f} "
                  "with rounded inputs",
                  bandwidth_text(report.huge_page_bytes_per_s), bandwidth_text(report.mapped_bytes_per_s),
                  report.limits.arithmetic.float_flops / 1e9, report.limits.arithmetic.rounded_flops / 1e9));
  if (const std::string why = why_no_limit(report); !why.empty()) out.line(why);
  out.line(fmt::format("\n{:<16}{:>10}{:>10}{:>10}{:>10}{:>10}{:>14}", "tokens/s", "min", "median", "max", "GB/s",
                       "GFLOP/s", "of the limit"));
}

/// "61 %", or "-" where there is no limit.
std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.0f} %", 100 * *share) : "-";
}

void print_rate(const Report& report, const ModelRate& rate, bool stages, Output& out) {
  const Roofline roofline = report.roofline(rate);
  const double median = rate.median();
  out.line(fmt::format("{:<16}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.1f}{:>10.0f}{:>14}", rate.name,
                       rate.tokens_per_second.front(), median, rate.tokens_per_second.back(),
                       median * roofline.bytes / 1e9, median * roofline.flops / 1e9,
                       percent(roofline.of_limit(median))));
  if (!stages) return;
  for (const StageRow& stage : roofline.stages)
    out.line(fmt::format("  {:<20}{:>8.1f} %{:>9.3f} ms{:>20.1f}{:>10.0f}{:>14}", stage.name,
                         100 * stage.seconds * rate.tokens / rate.seconds, stage.seconds * 1e3,
                         stage.bytes / stage.seconds / 1e9, stage.flops / stage.seconds / 1e9,
                         percent(stage.of_limit())));
}

json::value or_null(std::optional<double> number) {
  return number ? json::value(*number) : json::value(nullptr);
}

/// 0 is what could not be measured.
json::value known_or_null(double number) {
  return number > 0 ? json::value(number) : json::value(nullptr);
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
                                  {"of_limit", or_null(stage.of_limit())}});
  return {{"figure", rate.name},
          {"unit", "tok/s"},
          {"min", rate.tokens_per_second.front()},
          {"median", median},
          {"max", rate.tokens_per_second.back()},
          {"runs", rate.tokens_per_second.size()},
          {"gb_per_s", median * roofline.bytes / 1e9},
          {"gflop_per_s", median * roofline.flops / 1e9},
          {"limit", known_or_null(roofline.limit_tokens_per_s)},
          {"of_limit", or_null(roofline.of_limit(median))},
          {"stages", std::move(stages)}};
}

json::object to_json(const Report& report) {
  const LoadedModel& loaded = *report.loaded;
  json::array figures;
  for (const ModelRate& rate : report.rates) figures.push_back(to_json(report, rate));
  return {{"engine", "gossamer " GOSSAMER_VERSION},
          {"model", report.file_name},
          {"name", loaded.checkpoint.name()},
          {"model_bytes", report.model_bytes()},
          {"threads", loaded.threads->num_threads()},
          {"backend", loaded.model->backend().name()},
          {"ubatch", report.chunk_tokens},
          {"system_info", cpu_name()},
          {"load_s", report.load_seconds},
          {"rss_anon_mb", static_cast<double>(report.resident.anonymous) / 1e6},
          {"rss_mb", static_cast<double>(report.resident.all) / 1e6},
          {"limits", json::object{{"huge_pages_gb_per_s", known_or_null(report.huge_page_bytes_per_s / 1e9)},
                                  {"mapped_file_gb_per_s", report.mapped_bytes_per_s / 1e9},
                                  {"float32_gflop_per_s", report.limits.arithmetic.float_flops / 1e9},
                                  {"rounded_gflop_per_s", report.limits.arithmetic.rounded_flops / 1e9},
                                  {"cache_bytes", report.cache_bytes}}},
          {"figures", std::move(figures)}};
}

/// Each figure as a share of its limit; where there is none, of the fastest figure.
std::vector<Bar> bars_of(const Report& report) {
  double fastest = 0;
  for (const ModelRate& rate : report.rates) fastest = std::max(fastest, rate.median());
  std::vector<Bar> bars;
  for (const ModelRate& rate : report.rates) {
    const std::optional<double> share = report.roofline(rate).of_limit(rate.median());
    const std::string speed = fmt::format("{:.1f} tok/s", rate.median());
    bars.push_back({rate.name, share ? fmt::format("{}, {}", speed, percent(share)) : speed,
                    share.value_or(rate.median() / fastest)});
  }
  return bars;
}

Status draw(const Report& report, const std::string& path) {
  const std::string title = why_no_limit(report).empty() ? "tokens a second, of what the machine could do"
                                                         : "tokens a second, of the fastest";
  std::ofstream file(path);
  file << draw_bars(fmt::format("{}: {}", report.loaded->checkpoint.name(), title),
                    fmt::format("{}, {} threads, {}", cpu_name(), report.loaded->threads->num_threads(),
                                report.loaded->model->backend().name()),
                    bars_of(report));
  if (!file.flush()) return make_error(ErrorCode::kIo, "cannot write {}", path);
  return {};
}

/// The figures, printed as they are there unless JSON is wanted. Ctrl-C ends it with those that are.
Result<std::vector<ModelRate>> measure(const Report& report, const RateOptions& rate_options,
                                       const ModelBenchOptions& options, Output& out) {
  const InterruptGuard interrupt;  // not before: until now there is nothing to keep, and Ctrl-C ends the program
  ProgressLine progress;
  uint64_t passes = 0;
  return measure_rates(
      *report.loaded, *report.backend, rate_options,
      [&](const ModelRate& rate) {
        progress.clear();
        if (!options.json) print_rate(report, rate, options.stages, out);
      },
      [&] {
        progress.update("passes over the model", ++passes, 0);
        return !InterruptGuard::requested();
      });
}

Status run(const ModelBenchOptions& options, Output& out) {
  GOS_TRY(const RateOptions rate_options, parse(options));
  if (!options.chart.empty()) GOS_TRY_STATUS(check_writable(options.chart));
  GOS_TRY(const std::string path, find_model(options.model.model));
  GOS_TRY_STATUS(check_model(path, rate_options));
  GOS_TRY(Report report, load(options, path));
  measure_limits(report);
  if (!options.json) print_head(report, out);
  GOS_TRY(report.rates, measure(report, rate_options, options, out));
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
  options.count("--chunk,--ubatch,--ubatch-size", chunk_tokens,
                "model: tokens of a prompt that are computed at a time, llama.cpp's ubatch");
  options.flag("--stages", stages, "model: also where the time of each figure went");
  options.text("--chart", chart, "model: also draws the figures, as SVG", "FILE");
}

int bench_model(const ModelBenchOptions& options) {
  Output out;
  if (const Status done = run(options, out); !done.ok()) return fail(done.error());
  const int code = out.close();
  return InterruptGuard::requested() ? kInterrupted : code;
}

}  // namespace gossamer::cli
