#include "tokenizer/spelled_vocabulary.h"

#include <algorithm>

#include "base/check.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer {
namespace {

/// Appends the splits of token `id` into two tokens below `end`, by left part.
void append_splits(const TokenTable& tokens, TokenId id, TokenId end,
                   std::vector<std::pair<TokenId, TokenId>>& merges) {
  const auto first = static_cast<ptrdiff_t>(merges.size());
  const std::string_view bytes = tokens.bytes(id);
  for (size_t size = 1; size < bytes.size(); ++size) {
    const TokenId left = tokens.find(bytes.substr(0, size)), right = tokens.find(bytes.substr(size));
    if (left < end && right < end) merges.emplace_back(left, right);  // kNoToken is above every id
  }
  std::sort(merges.begin() + first, merges.end());
}

}  // namespace

SpelledVocabulary spell_o200k(uint32_t num_text_tokens) {
  GOS_CHECK(num_text_tokens >= 256 && num_text_tokens <= kO200kTextTokens);
  const TokenTable& tokens = built_in_o200k()->vocabulary()->tokens();
  SpelledVocabulary spelled;
  spelled.text_tokens.resize(num_text_tokens);
  for (TokenId id = 0; id < num_text_tokens; ++id) {
    append_printable(tokens.bytes(id), spelled.text_tokens[id]);
    append_splits(tokens, id, num_text_tokens, spelled.merges);
  }
  for (const auto& [id, name] : built_in_o200k()->specials().tokens())
    spelled.special_tokens.emplace_back(id - kO200kTextTokens + num_text_tokens, name);
  return spelled;
}

}  // namespace gossamer
