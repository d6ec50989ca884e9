#pragma once

#include <functional>
#include <memory>

#include "server/app.h"
#include "server/chat_prompt.h"
#include "server/generation.h"
#include "tools/tool.h"

namespace gossamer::server {

/// Puts tools that the server runs into a prompt, and their recipients into the request that is made of it.
void offer_tool(const tools::Tool& tool, ChatPrompt& prompt, ChatRequest& request);

/// For a chat: what is remembered of its calls, and all tools of the server, unless "tool_choice" is "none" or
/// "server_tools" is false, or a list of those that are wanted.
void add_server_tools(const Call& call, JsonReader& reader, ChatPrompt& prompt, ChatRequest& request);

/// Starts the answer to a chat: a tool loop where there are tools of any kind, else start_generation().
Result<std::shared_ptr<Generation>> start_chat(const Call& call, const std::shared_ptr<ServedModel>& model,
                                               const ChatRequest& request, Generation::Sink sink);

}  // namespace gossamer::server
