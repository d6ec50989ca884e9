#pragma once

#include <functional>
#include <memory>

#include "server/call.h"
#include "server/chat_prompt.h"
#include "server/generation.h"
#include "tools/tool.h"

namespace gossamer::server {

/// Puts a tool that the server runs into a prompt, and its recipients into the request that is made of it: its
/// functions, held to their parameters' schemas, or, where it has none, itself.
void offer_tool(harmony::ToolNamespace space, ChatPrompt& prompt, ChatRequest& request);

/// For a chat: what is remembered of its calls, and all tools of the server, unless "tool_choice" is "none" or
/// "server_tools" is false, or a list of those that are wanted. A name in it that no server's tool has is a problem, as
/// is that of an MCP server which this server does not have; python and browser may be off.
void add_server_tools(const Call& call, JsonReader& reader, ChatPrompt& prompt, ChatRequest& request);

/// Starts the answer to a chat: a tool loop where there are tools of any kind, else start_generation().
Result<std::shared_ptr<Generation>> start_chat(const Call& call, const std::shared_ptr<ServedModel>& model,
                                               const ChatRequest& request, Generation::Sink sink);

}  // namespace gossamer::server
