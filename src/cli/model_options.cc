#include "cli/model_options.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <regex>

#include "checkpoint/locate_model.h"
#include "cli/engine_flags.h"
#include "cli/progress_line.h"
#include "cli/terminal_text.h"

namespace gossamer::cli {

void ModelOptions::declare(Options& options) {
  options.text("-m,--model", model, kModelHelp, "NAME");
  declare_computing(options);
}

void ModelOptions::declare_computing(Options& options) {
  options.count("--threads", threads, "Threads that compute (default: every processor this process may use)");
  options.text("--device", device, "Where to compute: cpu, cuda, cuda:N (a GPU), or auto (a GPU where there is one)",
               "NAME");
  options.number("--gpu-memory-utilization", gpu_memory_share,
                 "Share of the GPU's memory that may be used, for weights, steps and cache (default: 0.9)");
  options.text("--gpu-memory", gpu_memory, "The same in bytes: 10GB", "SIZE");
  options.choice(
      "--gpu-sums", gpu_sums, {"auto", "portable", "hopper", "one-run"},
      "How a GPU adds up products: portable as on every card, hopper by its own instructions, one-run faster "
      "still with other bits; auto is hopper where the card shows that its bits are the same");
  options.text("--backend", backend,
               "Kernels: ref, avx2, avx512, avx512bf16 or amx (default: the best this machine has)", "NAME");
  options.flag("--no-repack", no_repack,
               "Compute with the weights as they lie in the file: loads faster, computes slower, same answers");
  options.flag(
      "--keep-packed", keep_packed,
      "Keep the copy of the weights that is made at loading in a file, as large as the model: later loads take "
      "seconds and share it");
  options.choice(
      "--dense-dtype", dense_dtype, {"bf16", "int8"},
      "Attention's matrices and lm_head of a BF16 checkpoint: as they are, or in 8 bits, for less memory and "
      "faster answers that differ a little (docs/forward.md)");
  options.choice("--precision", precision, {"default", "f32"},
                 "Activations in products: rounded where that is faster, or float32 (docs/forward.md)");
  options.flag(
      "--exact", exact,
      "The same answer whatever else runs, to the bit: activations in 15 bits everywhere, where by default many "
      "tokens together have 8 (docs/forward.md)");
}

void say_why_no_device(const LoadedModel& loaded) {
  if (!loaded.why_no_device.empty())
    fmt::print(stderr, "gossamer: computing on the CPU: {}\n", printable(loaded.why_no_device));
}

void say_where_experts_are(const LoadedModel& loaded) {
  const std::string placement = loaded.model->elsewhere() ? loaded.model->elsewhere()->placement() : "";
  if (!placement.empty()) fmt::print(stderr, "gossamer: {}\n", printable(placement));
}

kernels::Precision ModelOptions::chosen_precision() const {
  if (precision == "f32") return kernels::Precision::kF32;
  return exact ? kernels::Precision::kExact : kernels::Precision::kDefault;
}

Result<DeviceBudget> ModelOptions::device_budget() const {
  DeviceBudget budget;
  if (gpu_memory_share && !gpu_memory.empty())
    return make_error(
        ErrorCode::kInvalidInput,
        "--gpu-memory-utilization {} and --gpu-memory {} both say how much of the GPU's memory may be used; "
        "leave one of them out",
        *gpu_memory_share, gpu_memory);
  if (gpu_memory_share) {
    if (!(*gpu_memory_share > 0 && *gpu_memory_share <= 1))
      return make_error(ErrorCode::kInvalidInput,
                        "--gpu-memory-utilization is {}; it is a share of the GPU's memory, above 0 and at most 1",
                        *gpu_memory_share);
    budget.share = static_cast<double>(*gpu_memory_share);
  }
  if (!gpu_memory.empty()) {
    GOS_TRY(budget.bytes, parse_bytes(gpu_memory));
  }
  return budget;
}

Result<LoadOptions> ModelOptions::load_options() const {
  if (keep_packed && no_repack)
    return make_error(
        ErrorCode::kInvalidInput,
        "--keep-packed keeps the copy of the weights that --no-repack does without; leave one of them out");
  LoadOptions options;
  GOS_TRY(options.device, DeviceChoice::parse(device));
  // Who names kernels of the processor, or wants what only they have, wants the processor.
  if (options.device.kind == DeviceChoice::Kind::kAuto &&
      (!backend.empty() || precision == "f32" || dense_dtype == "int8"))
    options.device.kind = DeviceChoice::Kind::kCpu;
  GOS_TRY(options.device_budget, device_budget());
  GOS_TRY(options.device_sums, parse_device_sums(gpu_sums));
  options.num_threads = threads;
  options.backend = backend;
  options.precision = chosen_precision();
  options.pack_weights = !no_repack;
  options.keep_packed = keep_packed;
  options.dense_dtype = dense_dtype == "int8" ? DenseDtype::kInt8 : DenseDtype::kAsStored;
  return options;
}

Result<std::unique_ptr<LoadedModel>> ModelOptions::load(bool need_tokenizer) const {
  GOS_TRY(LoadOptions options, load_options());
  options.need_tokenizer = need_tokenizer;
  return load(options);
}

Result<std::unique_ptr<LoadedModel>> ModelOptions::load(const LoadOptions& options) const {
  GOS_TRY(const std::string path, find_model(model));
  ProgressLine progress;
  Result<std::unique_ptr<LoadedModel>> loaded = LoadedModel::load(path, options, progress.callback());
  if (!loaded.ok()) return loaded;
  say_why_no_device(**loaded);
  if (!(*loaded)->model->elsewhere() && (gpu_memory_share || !gpu_memory.empty() || gpu_sums != "auto"))
    fmt::print(
        stderr,
        "gossamer: the CPU computes, for which --gpu-memory-utilization, --gpu-memory and --gpu-sums mean nothing\n");
  say_where_experts_are(**loaded);
  return loaded;
}

Result<std::string> find_model(const std::string& name) {
  const std::string demo_folder = demo_model_folder();
  std::error_code ignored;  // any failure means: not there
  if (name == kDemoModel && !std::filesystem::exists(demo_folder, ignored))
    return make_error(ErrorCode::kNotFound,
                      "the demo model {} is not in {}; GOSSAMER_DEMO_MODEL can name another folder", name, demo_folder);
  return locate_model(name, ModelSearchPath::from_environment(demo_folder));
}

bool looks_like_model(const std::string& word) {
  static const std::regex short_name(R"(([\w.-]+/)?(gpt-oss|gossamer-mini)[\w.-]*(:[\w.-]+)?)", std::regex::icase);
  std::error_code ignored;  // any failure means: no
  namespace fs = std::filesystem;
  return std::regex_match(word, short_name) || word.ends_with(".gguf") ||
         fs::exists(fs::path(word) / "config.json", ignored) || fs::is_directory(fs::path(word) / "original", ignored);
}

void declare_tokenizer_model(Options& options, std::string& model) {
  options.text("-m,--model", model,
               std::string(kModelHelp) + ", for its tokenizer (default: o200k_harmony, gpt-oss' own)", "NAME");
}

Result<std::shared_ptr<const Tokenizer>> find_tokenizer(const std::string& model) {
  if (model.empty()) return Tokenizer::o200k_harmony();
  GOS_TRY(const std::string path, find_model(model));
  GOS_TRY(const Checkpoint checkpoint, Checkpoint::open(path));
  return checkpoint.load_tokenizer();
}

}  // namespace gossamer::cli
