#pragma once

#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

struct RenderOptions {
  /// Leave out analysis before the first final message, where the last assistant message is final.
  bool auto_drop_analysis = true;
};

/// The messages alone. Text is encoded without special tokens: what a user writes stays text.
/// Errors: a tool message without a name, system (developer) content in a message of another role, a vocabulary without
/// the frame tokens.
Result<std::vector<TokenId>> render_conversation(const Tokenizer& tokenizer, const Conversation& conversation,
                                                 const RenderOptions& options);

/// As render_conversation, then the beginning of the message to complete: <|start|>assistant.
Result<std::vector<TokenId>> render_for_completion(const Tokenizer& tokenizer, const Conversation& conversation,
                                                   Role next_role, const RenderOptions& options);

/// As render_conversation, but a last message that is the assistant's final one ends with <|return|>.
Result<std::vector<TokenId>> render_for_training(const Tokenizer& tokenizer, const Conversation& conversation,
                                                 const RenderOptions& options);

}  // namespace gossamer::harmony
