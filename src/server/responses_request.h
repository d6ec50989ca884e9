#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/generation.h"
#include "server/json_reader.h"
#include "server/responses_tools.h"
#include "server/served_model.h"

namespace gossamer::server {

/// The body of POST /v1/responses, read as far as that goes without earlier responses.
struct ResponsesRequest {
  std::string stem;   ///< of the ids, see response_id()
  json::array input;  ///< normalized_input()
  std::optional<std::string> instructions;
  std::optional<std::string> previous_response_id;
  ResponsesTools tools;
  ResponsesToolChoice tool_choice;
  bool parallel_tool_calls = true;
  std::optional<uint32_t> max_tool_calls;  ///< of tools of the server
  std::optional<harmony::ReasoningEffort> effort;
  OutputFormat format;
  AnswerLimits limits;
  bool stream = false, store = true, background = false;
  bool truncates = false;               ///< "truncation": "auto": the oldest turns may go
  bool wants_logprobs = false;          ///< include message.output_text.logprobs
  bool wants_sealed_reasoning = false;  ///< include reasoning.encrypted_content
  /// The response object with what the request settles; status, output and usage come as it is answered.
  json::object echo;
};

/// Problems go to `reader`. `tenant` is not read from the body.
/// `server_tools`: those that the server runs; null: none.
ResponsesRequest read_responses_request(JsonReader& reader, const ServedModel& model, std::string stem,
                                        const tools::Toolset* server_tools = nullptr);

}  // namespace gossamer::server
