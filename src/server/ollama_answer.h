#pragma once

#include <memory>

#include "server/call.h"
#include "server/generation.h"
#include "server/ollama_request.h"
#include "server/ollama_writer.h"

namespace gossamer::server {

/// What the engine is asked. A result of a call that nobody made is a problem of `reader`.
ChatRequest ollama_chat_request(const OllamaRequest& request, const ServedModel& model, JsonReader& reader);

/// Answers the call, in lines or at once, when what the answer is held to is known.
void answer_ollama(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model, ChatRequest chat,
                   const OllamaRequest& request, OllamaWriter writer);

}  // namespace gossamer::server
