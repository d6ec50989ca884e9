#pragma once

#include <vector>

#include "base/token.h"
#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

/// The special tokens that frame harmony, by name from the loaded tokenizer.
struct FrameTokens {
  TokenId start, end, message, channel, constrain, ret, call;
  /// Errors: the tokenizer lacks one of them (the sentence names it).
  static Result<FrameTokens> from(const Tokenizer& tokenizer);
};

struct RenderOptions {
  /// Leave out analysis messages before the first final message where the last assistant message is final (openai-harmony's rule).
  bool auto_drop_analysis = true;
};

/// The conversation, ready for a completion by `next_role`: ... <|start|>assistant.
Result<std::vector<TokenId>> render_for_completion(const Tokenizer& tokenizer, const Conversation& conversation, Role next_role,
                                                   const RenderOptions& options);
/// The messages alone.
Result<std::vector<TokenId>> render_conversation(const Tokenizer& tokenizer, const Conversation& conversation, const RenderOptions& options);
/// As render_conversation, but a last assistant message that ends its turn ends with <|return|>.
Result<std::vector<TokenId>> render_for_training(const Tokenizer& tokenizer, const Conversation& conversation, const RenderOptions& options);

}  // namespace gossamer::harmony
