#include "cli/gpu_model.h"

#include <fmt/format.h>

#include <chrono>

#include "cli/count_list.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"
#include "kernels/cuda/synthetic.h"
#include "model/device_forward.h"
#include "model/device_rates.h"
#include "model/kernel_rates.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kModelSeconds = 300, kBenchSeconds = 120;
constexpr uint32_t kCacheTensor = 0xffff;  // no weights have that number

SyntheticModel synthetic_model(const GpuOptions& options) {
  SyntheticModel model;
  model.seed = options.seed.value_or(1);
  if (options.router == "zipf") model.router = SyntheticModel::Router::kZipf;
  if (options.dense == "q8_0") model.dense = kernels::cuda::StripFormat::kQ8;
  return model;
}

kernels::RopeParams rope_of(const ModelConfig& config) {
  return {config.head_dim,       config.rope_theta,     config.rope_factor,
          config.rope_beta_fast, config.rope_beta_slow, config.original_context};
}

Result<DeviceRatesOptions> rates_options(const GpuOptions& options) {
  DeviceRatesOptions rates;
  GOS_TRY(rates.batches, parse_counts("--batch", options.batches, 1));
  GOS_TRY(rates.contexts, parse_counts("--context", options.contexts, 0));
  GOS_TRY(rates.prefills, parse_counts("--prefill", options.prefills, 1));
  rates.chunk_tokens = options.chunk_tokens;
  rates.kv_dtype = *kernels::parse_kv_dtype(options.kv_dtype);
  rates.seconds = static_cast<double>(options.seconds.value_or(kModelSeconds));
  rates.seed = options.seed.value_or(1);
  return rates;
}

std::string percent(double share) {
  return share > 0 ? fmt::format("{:.0f} %", 100 * share) : "-";
}

void print_rate(const DeviceRate& rate, std::FILE* out) {
  if (!rate.skipped.empty()) {
    fmt::print(out, "  {:<20} left out: {}\n", rate.name, rate.skipped);
    return;
  }
  const double predicted = rate.cost.predicted_seconds;
  fmt::print(out, "  {:<20}{:>12.1f}{:>12.3f}{:>12}{:>10.1f}{:>10.2f}{:>8}\n", rate.name, rate.tokens_per_second(),
             rate.seconds * 1e3, predicted > 0 ? fmt::format("{:.3f}", predicted * 1e3) : "-",
             rate.cost.bytes / rate.seconds / 1e9, rate.cost.flops / rate.seconds / 1e12, percent(rate.of_limit()));
  std::fflush(out);
}

json::value or_null(double number) {
  return number > 0 ? json::value(number) : json::value(nullptr);
}

json::object to_json(const DeviceRate& rate) {
  json::object figure{{"name", rate.name}, {"kind", rate.is_prefill ? "prefill" : "decode"}};
  if (!rate.is_prefill) {
    figure["batch"] = rate.batch;
    figure["context"] = rate.context;
  }
  figure["tokens"] = rate.tokens;
  figure["tokens_per_s"] = rate.tokens_per_second();
  figure["ms"] = rate.seconds * 1e3;
  figure["least_ms"] = rate.least_seconds * 1e3;
  figure["runs"] = rate.runs;
  if (!rate.is_prefill) figure["experts"] = rate.experts;
  figure["bytes"] = rate.cost.bytes;
  figure["flops"] = rate.cost.flops;
  figure["gb_per_s"] = rate.cost.bytes / rate.seconds / 1e9;
  figure["tflop_per_s"] = rate.cost.flops / rate.seconds / 1e12;
  figure["of_roof"] = or_null(rate.of_limit());
  figure["predicted_ms"] = or_null(rate.cost.predicted_seconds * 1e3);
  return figure;
}

json::object to_json(const KernelRate& rate) {
  return {{"name", fmt::format("{} x{}", rate.name, rate.rows)},
          {"kernel", rate.name},
          {"rows", rate.rows},
          {"us", rate.seconds * 1e6},
          {"runs", rate.runs},
          {"bytes", rate.bytes},
          {"flops", rate.flops},
          {"gb_per_s", rate.bytes / rate.seconds / 1e9},
          {"tflop_per_s", rate.flops / rate.seconds / 1e12},
          {"of_roof", or_null(rate.of_limit())}};
}

/// What a model is like, as the head of its figures.
json::object head_of(const GpuOptions& options, const DeviceRoof& roof) {
  return {{"preset", options.preset},
          {"dense", options.dense},
          {"kv_dtype", options.kv_dtype},
          {"seed", options.seed.value_or(1)},
          {"roof_gb_per_s", or_null(roof.read_bytes_per_s / 1e9)},
          {"roof_tflop_per_s", or_null(roof.flops_per_s / 1e12)}};
}

const ModelConfig& config_of(const GpuOptions& options) {
  return synthetic::find_preset(options.preset)->config;
}

Result<std::unique_ptr<DeviceForward>> make_model(const GpuOptions& options, const GpuCard& card, json::object& json) {
  const SyntheticModel model = synthetic_model(options);
  const auto begin = std::chrono::steady_clock::now();
  ProgressLine progress;
  GOS_TRY(DeviceWeights weights, DeviceWeights::synthetic(config_of(options), model, progress.callback()));
  progress.clear();
  const std::chrono::duration<double> made = std::chrono::steady_clock::now() - begin;
  json["router"] = options.router;
  json["weights_bytes"] = weights.size_bytes();
  json["make_s"] = made.count();
  fmt::print(card.out, "{}: {:.2f} GB of weights, made in {:.2f} s; {:.1f} GB are free for the cache\n",
             model_name(options), static_cast<double>(weights.size_bytes()) / 1e9, made.count(),
             static_cast<double>(kernels::cuda::free_device_bytes()) / 1e9);
  GOS_TRY(std::unique_ptr<DeviceForward> forward,
          DeviceForward::make_with(config_of(options), std::move(weights), rope_of(config_of(options))));
  GOS_TRY(const DeviceSums sums, parse_device_sums(options.sums));
  GOS_TRY_STATUS(forward->choose_sums(sums, [] { return true; }));  // made-up scales are 2^-11 to 2^-3
  json["sums"] = std::string(device_sums_name(forward->sums()));
  return Result<std::unique_ptr<DeviceForward>>(std::move(forward));
}

}  // namespace

std::string model_name(const GpuOptions& options) {
  std::string name = options.preset;
  if (options.router != "uniform") name += " " + options.router;
  if (options.dense != "bf16") name += " " + options.dense;
  if (options.kv_dtype != "bf16") name += " " + options.kv_dtype;
  if (options.sums != "auto") name += " " + options.sums;
  return name;
}

Status check_fits(const GpuOptions& options) {
  const uint64_t needed = DeviceWeights::synthetic_bytes(config_of(options), synthetic_model(options));
  const uint64_t free = kernels::cuda::free_device_bytes();
  if (needed < free) return {};
  return make_error(ErrorCode::kUnsupported, "a {} takes {:.1f} GB, and the GPU has {:.1f} GB free", options.preset,
                    static_cast<double>(needed) / 1e9, static_cast<double>(free) / 1e9);
}

Result<GpuPart> gpu_model(const GpuOptions& options, const GpuCard& card, const DeviceRoof& roof) {
  GOS_TRY(const DeviceRatesOptions rates, rates_options(options));
  GpuPart part;
  part.json = head_of(options, roof);
  GOS_TRY(const std::unique_ptr<DeviceForward> model, make_model(options, card, part.json));
  GOS_TRY(const kernels::cuda::DeviceStream stream, kernels::cuda::DeviceStream::create());
  const auto fill = [&](const KvMemory& memory) {
    const float spread = rates.kv_dtype == kernels::KvDtype::kInt8 ? 1 / 127.f : 1;
    kernels::cuda::make_up_bf16({memory.block(0, 0), memory.size_bytes() / 2, {rates.seed, kCacheTensor}, 0, spread},
                                stream.get());
    return stream.synchronize();
  };
  fmt::print(card.out, "  {:<20}{:>12}{:>12}{:>12}{:>10}{:>10}{:>8}\n", "", "tokens/s", "ms", "predicted", "GB/s",
             "TFLOP/s", "of roof");
  json::array figures, left_out;
  const InterruptGuard interrupt;
  const StepFormats formats{synthetic_model(options).dense, rates.kv_dtype};
  const Status done =
      measure_device_rates(*model, config_of(options), formats, roof, rates, fill, [&](const DeviceRate& rate) {
        print_rate(rate, card.out);
        if (rate.skipped.empty())
          figures.push_back(to_json(rate));
        else
          left_out.push_back(json::object{{"name", rate.name}, {"why", rate.skipped}});
        return !InterruptGuard::requested();
      });
  part.json["figures"] = std::move(figures);
  part.json["left_out"] = std::move(left_out);
  if (!done.ok()) {  // what was measured before is worth keeping
    part.ok = false;
    part.json["error"] = done.error().message;
  }
  return part;
}

Result<GpuPart> gpu_bench(const GpuOptions& options, const GpuCard& card, const DeviceRoof& roof) {
  KernelRatesOptions rates;
  GOS_TRY(rates.rows, parse_counts("--rows", options.rows, 1));
  rates.context = options.depth;
  rates.kv_dtype = *kernels::parse_kv_dtype(options.kv_dtype);
  rates.cache_bytes = card.facts.l2_bytes;
  rates.seconds = static_cast<double>(options.seconds.value_or(kBenchSeconds));
  rates.only = options.only;
  GpuPart part;
  part.json = head_of(options, roof);
  part.json["depth"] = options.depth;
  fmt::print(card.out, "kernels of a {}, attention over {} positions\n  {:<24}{:>12}{:>10}{:>10}{:>8}\n",
             model_name(options), options.depth, "", "us", "GB/s", "TFLOP/s", "of roof");
  json::array figures;
  const InterruptGuard interrupt;
  const Status done =
      measure_kernel_rates(config_of(options), synthetic_model(options), roof, rates, [&](const KernelRate& rate) {
        fmt::print(card.out, "  {:<24}{:>12.2f}{:>10.1f}{:>10.2f}{:>8}\n", fmt::format("{} x{}", rate.name, rate.rows),
                   rate.seconds * 1e6, rate.bytes / rate.seconds / 1e9, rate.flops / rate.seconds / 1e12,
                   percent(rate.of_limit()));
        std::fflush(card.out);
        figures.push_back(to_json(rate));
        return !InterruptGuard::requested();
      });
  part.json["figures"] = std::move(figures);
  if (!done.ok()) {
    part.ok = false;
    part.json["error"] = done.error().message;
  }
  return part;
}

}  // namespace gossamer::cli
