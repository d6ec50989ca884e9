#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "server/chat_prompt.h"
#include "server/generation.h"
#include "server/json_reader.h"
#include "server/served_model.h"

namespace gossamer::server {

/// The body of POST /api/chat or /api/generate.
struct OllamaRequest {
  ChatPrompt prompt;
  std::map<std::string, PlacedGrammar> arguments;  ///< as ChatRequest's
  AnswerLimits limits;
  bool stream = true;
  bool shows_thinking = true;
  /// Nothing to answer: the client wants the model loaded, or, with keep_alive 0, unloaded. Here it always is loaded.
  bool only_loads = false, unloads = false;
  bool ignores_context = false;  ///< it holds a "context", tokens of an earlier answer, which this server never gave
};

OllamaRequest read_ollama_chat(JsonReader& reader, const ServedModel& model);
OllamaRequest read_ollama_generate(JsonReader& reader, const ServedModel& model);

}  // namespace gossamer::server
