#pragma once

#include "base/result.h"
#include "base/token.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

/// The special tokens that frame harmony messages: <|start|>header<|message|>content<|end|>.
struct FrameTokens {
  TokenId start;
  TokenId message;
  TokenId channel;
  TokenId constrain;
  TokenId end;   ///< ends a message; more may follow in the same turn
  TokenId ret;   ///< ends the turn of the assistant: <|return|>
  TokenId call;  ///< ends a message that calls a tool, and the turn

  /// By name from the tokenizer. Errors: it lacks one of them (the sentence names it).
  static Result<FrameTokens> from(const Tokenizer& tokenizer);

  /// Ends a message in openai-harmony.
  bool is_stop(TokenId token) const { return token == end || token == ret || token == call; }
};

}  // namespace gossamer::harmony
