#pragma once

#include <optional>
#include <string>

#include "server/generation.h"
#include "server/json_reader.h"
#include "server/served_model.h"

namespace gossamer::server {

/// The body of POST /v1/chat/completions.
struct ChatCompletion {
  ChatRequest request;
  bool stream = false;
  bool include_usage = false;     ///< a last chunk with the counts
  bool return_token_ids = false;  ///< as vLLM has it
};

/// Reads it; what is wrong is the reader's problem.
ChatCompletion read_chat_completion(JsonReader& reader, const ServedModel& model);

/// "tool_choice" of chat completions and, with flat names, of responses; `functions`: those that were declared.
ToolChoice read_tool_choice(JsonReader& reader, const std::vector<std::string>& functions);

}  // namespace gossamer::server
