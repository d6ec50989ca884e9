#pragma once

#include <memory>

#include "server/generation.h"

namespace gossamer::server {

class ServedModel;
class ToolService;
class TurnMemory;

/// What an answer with tools needs of the server. All of it outlives the answer.
struct ToolLoopParts {
  std::shared_ptr<ServedModel> model;
  ToolService* service = nullptr;  ///< null: the server runs no tools
  TurnMemory* memory = nullptr;    ///< keeps what was thought before calls; null: nobody does
};

/// As start_generation(), and calls of `request.built_ins` are answered by the server: the call's result follows the
/// answer so far, and the model goes on, until it has an answer or calls a function of the client. To `sink` it is one
/// answer with one kEnd, whose usage is the prompt that the client sent and all tokens that were generated; calls of
/// the server's tools come as kServerCall and kServerResult. Events come on the engine's thread or on one of the
/// service's, one at a time. After the service's most rounds the model must answer without calls, after
/// `request.most_server_calls` without those of the server's tools.
///
/// A call that the client wants to be asked about is told as kApprovalRequest, and ends the answer. `request.approved`
/// is made first, and what it gave follows the conversation.
///
/// A cancellation ends a tool at work. The answer must not outlive the service.
Result<std::shared_ptr<Generation>> start_tool_loop(const ToolLoopParts& parts, ChatRequest request,
                                                    Generation::Sink sink);

}  // namespace gossamer::server
