#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/generation.h"
#include "server/json_reader.h"
#include "server/served_model.h"
#include "server/stream_options.h"

namespace gossamer::server {

/// The body of POST /v1/completions: several prompts are several requests in one answer.
struct Completion {
  std::vector<CompletionRequest> requests;  ///< one a prompt, alike but for it
  uint32_t num_choices = 1;                 ///< of each
  bool stream = false;
  StreamOptions stream_options;
  bool echo = false;              ///< the prompt before the answer, its logprobs too where those are asked for
  bool return_token_ids = false;  ///< as vLLM has it
};

/// Reads it; what is wrong is the reader's problem. Names of special tokens in a prompt are those tokens.
Completion read_completion(JsonReader& reader, const ServedModel& model);

}  // namespace gossamer::server
