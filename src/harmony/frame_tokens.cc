#include "harmony/frame_tokens.h"

#include <utility>

namespace gossamer::harmony {

Result<FrameTokens> FrameTokens::from(const Tokenizer& tokenizer) {
  FrameTokens tokens{};
  const std::pair<std::string_view, TokenId*> wanted[] = {
      {"<|start|>", &tokens.start},     {"<|message|>", &tokens.message},
      {"<|channel|>", &tokens.channel}, {"<|constrain|>", &tokens.constrain},
      {"<|end|>", &tokens.end},         {"<|return|>", &tokens.ret},
      {"<|call|>", &tokens.call}};
  for (const auto& [name, id] : wanted) {
    const std::optional<TokenId> found = tokenizer.special(name);
    if (!found) {
      return make_error(
          ErrorCode::kUnsupported,
          "the vocabulary has no special token {}, which the harmony format needs: use a gpt-oss tokenizer", name);
    }
    *id = *found;
  }
  return tokens;
}

}  // namespace gossamer::harmony
