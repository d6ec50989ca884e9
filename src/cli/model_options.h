#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/demo_model.h"
#include "cli/options.h"
#include "engine/loaded_model.h"

namespace gossamer::cli {

/// Which model, and how it is run: shared by every command that loads one.
struct ModelOptions {
  std::string model = kDemoModel;
  uint32_t threads = 0;
  std::string device = "auto";
  std::optional<float> gpu_memory_share;  // of the GPU's; absent: 0.9
  std::string gpu_memory;                 // "10GB"; instead
  std::string gpu_sums = "auto";
  std::string backend;
  std::string precision = "default";
  std::string dense_dtype = "bf16";
  bool exact = false;
  bool no_repack = false;
  bool keep_packed = false;

  void declare(Options& options);
  void declare_computing(Options& options);  ///< all but --model
  kernels::Precision chosen_precision() const;
  /// Errors: a share that is none, or two amounts.
  Result<DeviceBudget> device_budget() const;
  /// What these options say of loading. Errors: two of them that contradict each other.
  Result<LoadOptions> load_options() const;
  /// Loads it, with a progress line on a terminal.
  Result<std::unique_ptr<LoadedModel>> load(bool need_tokenizer) const;
  Result<std::unique_ptr<LoadedModel>> load(const LoadOptions& options) const;
};

/// On stderr, where the model would have gone to a GPU had there been one.
void say_why_no_device(const LoadedModel& loaded);
/// On stderr, where a GPU has some experts and the host the others.
void say_where_experts_are(const LoadedModel& loaded);

inline constexpr char kModelHelp[] = "A folder, a .gguf file or a short name (gpt-oss:20b)";

/// The folder or file of a model, looked for in all known places.
Result<std::string> find_model(const std::string& name);

/// True where `word` is written as a model is: a short name, a .gguf file or a folder that holds a config.json.
/// Such a word alone after `gossamer run` is a model and not a prompt.
bool looks_like_model(const std::string& word);

/// The --model option of commands that need nothing but its tokenizer.
void declare_tokenizer_model(Options& options, std::string& model);

/// The tokenizer of a model, without loading its weights; o200k_harmony where `model` is empty.
Result<std::shared_ptr<const Tokenizer>> find_tokenizer(const std::string& model);

}  // namespace gossamer::cli
