#pragma once

#include <string>
#include <vector>

#include "engine/throughput.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::cli {

/// The requests of a measurement, as a user describes them.
struct WorkloadOptions {
  uint32_t requests = 64;
  std::string input_tokens;   // "512" where nothing is said, or "100-900": uniform
  std::string output_tokens;  // "128", or what the dataset's answers have
  std::string dataset;        // ShareGPT's JSON: its texts are taken then, shuffled
  uint64_t seed = 1;
};

/// What the engine and its model can take.
struct WorkloadLimits {
  const Tokenizer* tokenizer = nullptr;  // null: none, then there are no datasets
  uint32_t vocab_size = 0;
  uint32_t max_sequence_tokens = 0;  // prompt and answer
};

/// Made-up prompts of random tokens, or those of the dataset, the same for the same seed; conversations that are too
/// long are passed over. Errors: lengths that are none or too long, a file that is not ShareGPT's JSON.
Result<std::vector<WorkItem>> make_workload(const WorkloadOptions& options, const WorkloadLimits& limits);

/// Settings of a measurement as LMDeploy writes them: `engine:` with model_path, backend, max_batch_size,
/// cache_max_entry_count, quant_policy, and `data:` with dataset_path, input_len, output_len; or all of them flat.
struct ThroughputConfig {
  std::string model;
  std::string dataset, input_tokens, output_tokens;
  uint32_t max_batch_size = 0;
  double cache_share = 0;  // of the memory that is free once the model is loaded
  std::string kv_dtype;
  std::vector<std::string> warnings;
};
Result<ThroughputConfig> read_throughput_config(const std::string& path);
Result<ThroughputConfig> parse_throughput_config(const std::string& text, const std::string& name);

/// Question and answer of each conversation in ShareGPT's JSON: [{"conversations": [{"from", "value"}, ...]}, ...] or
/// [{"messages": [{"role", "content"}, ...]}, ...]; those without both are passed over. Errors: not such a list.
Result<std::vector<std::pair<std::string, std::string>>> parse_conversations(const std::string& text,
                                                                             const std::string& name);

}  // namespace gossamer::cli
