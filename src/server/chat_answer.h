#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/answer_tally.h"
#include "server/call.h"
#include "server/chat_request.h"

namespace gossamer::server {

/// What all pieces of one answer to /v1/chat/completions say of it.
struct ChatAnswerHead {
  std::string id;  ///< "chatcmpl-..."
  int64_t created = 0;
  std::string model;
  bool timings = true;
};

/// An answer that is made of events: whole, or as server-sent events.
class ChatAnswer {
 public:
  virtual ~ChatAnswer() = default;
  /// On the engine's thread.
  virtual void take(const AnswerEvent& event) = 0;
  /// The request is accepted; on the caller's thread, while events may come already.
  virtual void accepted(std::shared_ptr<Generation> generation) = 0;
};

std::shared_ptr<ChatAnswer> make_whole_chat_answer(std::shared_ptr<Call> call, ChatAnswerHead head,
                                                   const ChatCompletion& body);
std::shared_ptr<ChatAnswer> make_streamed_chat_answer(std::shared_ptr<Call> call, ChatAnswerHead head,
                                                      const ChatCompletion& body);

/// "logprobs" of chat completions: [{"token", "logprob", "bytes", "top_logprobs": [...]}].
json::array chat_logprobs(const std::vector<ScoredToken>& tokens);

/// What a client is told where the engine failed: of `why` only what the grammar says that it asked for.
ApiError answer_failed(std::string_view why);

}  // namespace gossamer::server
