#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harmony/conversation.h"
#include "server/generation.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::server {

/// A call of a tool of the server, complete.
struct ServerCall {
  std::string id, recipient, channel, arguments;
};

/// What a choice has said since its prompt: its tokens, for the model to go on from, and its messages, for the memory
/// of calls. Fed with the events of one round after the other.
class ToolTurn {
 public:
  void take(const AnswerEvent& event);
  /// The call that the round ended with; nothing: it ended otherwise.
  const std::optional<ServerCall>& last_call() const { return last_call_; }
  bool calls_client() const { return !client_calls_.empty(); }
  const std::vector<std::string>& client_calls() const { return client_calls_; }

  /// The result of the last call: the next round's tokens are `continuation()`. Errors: the vocabulary lacks frames.
  Status add_result(const Tokenizer& tokenizer, const std::string& text);
  const std::vector<TokenId>& continuation() const { return tokens_; }

  /// Reasoning, calls of the server's tools and their results, up to now.
  std::vector<harmony::Message> messages() const;

 private:
  void add_reasoning();

  std::vector<TokenId> tokens_;
  std::vector<harmony::Message> messages_;
  std::string reasoning_;
  ServerCall open_call_;
  std::optional<ServerCall> last_call_;
  std::vector<std::string> client_calls_;
};

}  // namespace gossamer::server
