#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "load/load_plan.h"

namespace gossamer::cli {

/// Arguments of `gossamer bench serve` as they are. Errors: a file behind --json, which would be taken for the address.
Result<std::vector<std::string>> check_load_arguments(const std::vector<std::string>& arguments);

/// The options of `gossamer bench serve`.
struct LoadOptions {
  std::vector<std::string> words;  ///< the address
  std::string url = "http://127.0.0.1:8000", compare_url;
  std::string model, compare_model, api_key;
  bool any_certificate = false;

  std::string endpoint = "chat";
  std::string prompt = "Write a short story about a lighthouse.", prompts_file, dataset;
  uint32_t input_tokens = 0;
  uint32_t max_tokens = 128;
  std::optional<float> temperature;
  std::optional<uint64_t> seed;
  bool ignore_eos = false, no_stream = false;

  uint32_t concurrency = 0, requests = 0;
  std::optional<float> duration_seconds, rate;
  std::optional<float> timeout_seconds;
  uint32_t warmup = 1, rounds = 4, threads = 1;

  bool json = false;
  std::string csv, html;

  void declare(Options& options);
  /// What they ask for, but the model. Errors: a value that makes no sense, a file that cannot be read.
  Result<load::LoadPlan> plan() const;
  /// --api-key, or $OPENAI_API_KEY.
  std::string key() const;
};

}  // namespace gossamer::cli
