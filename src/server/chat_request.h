#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/chat_prompt.h"
#include "server/generation.h"
#include "server/json_reader.h"
#include "server/served_model.h"
#include "server/stream_options.h"

namespace gossamer::server {

/// The body of POST /v1/chat/completions.
struct ChatCompletion {
  ChatRequest request;
  bool stream = false;
  StreamOptions stream_options;
  bool return_token_ids = false;       ///< as vLLM has it
  bool shows_reasoning = true;         ///< what the model thinks is part of the answer
  bool answers_function_call = false;  ///< a call is told as "function_call", as before there were tools
};

/// Adds to a prompt, and to the request that is made of it, what the server knows: server_tools.h, turn_memory.h.
using PromptHook = std::function<void(ChatPrompt& prompt, ChatRequest& request)>;

/// Reads it; what is wrong is the reader's problem. `complete`: called before the conversation is made.
ChatCompletion read_chat_completion(JsonReader& reader, const ServedModel& model, const PromptHook& complete = {});

}  // namespace gossamer::server
