#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "checkpoint/model_config.h"
#include "cli/options.h"
#include "sampling/sampling_params.h"

namespace gossamer::cli {

/// How to choose tokens and how many: the options of run and chat, the fields of a line of generate. What is not given
/// comes from the model's own generation_config.
struct SamplingOptions {
  std::optional<float> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<uint64_t> top_k, seed, max_tokens;
  std::vector<std::string> logit_bias;  // "ID:VALUE"

  void declare(Options& options);
  /// Errors: a field of the wrong type.
  static Result<SamplingOptions> from_json(const json::object& line);

  /// Errors: a value out of its range, a logit bias that is not ID:VALUE. The seed is random where none was given.
  Result<SamplingParams> resolve(const GenerationDefaults& defaults) const;
  /// Errors: more than a model can have.
  Result<uint32_t> resolve_max_tokens() const;
};

}  // namespace gossamer::cli
