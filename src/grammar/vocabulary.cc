#include "grammar/vocabulary.h"

#include <algorithm>
#include <string>
#include <vector>

namespace gossamer::grammar {
namespace {

size_t tokenize(const void* user, const uint8_t* text, size_t bytes, uint32_t* ids, size_t capacity) {
  try {
    const std::vector<TokenId> tokens =
        static_cast<const Tokenizer*>(user)->encode({reinterpret_cast<const char*>(text), bytes});
    std::copy_n(tokens.begin(), std::min(tokens.size(), capacity), ids);
    return std::min(tokens.size(), capacity);
  } catch (...) {  // out of memory must not cross into the library: it then cuts the text in its own way
    return 0;
  }
}

}  // namespace

Result<std::shared_ptr<const Vocabulary>> Vocabulary::create(std::shared_ptr<const Tokenizer> tokenizer) {
  std::shared_ptr<Vocabulary> made(new Vocabulary(std::move(tokenizer)));
  const Tokenizer& source = *made->tokenizer_;
  for (std::string_view name : {"<|return|>", "<|endoftext|>", "<|end|>"})
    if (!made->end_token_) made->end_token_ = source.special(name);
  constexpr uint32_t kNoToken = 0xFFFFFFFFu;
  // The library knows special tokens by a byte that no text has before their names.
  constexpr char kSpecialMark = '\xFF';
  std::string bytes;
  std::vector<uint32_t> lengths;
  for (TokenId token = 0; token < source.head_rows(); ++token) {
    const size_t before = bytes.size();
    if (source.kind(token) == TokenKind::kSpecial) bytes += kSpecialMark;
    bytes += source.token_bytes(token);
    lengths.push_back(static_cast<uint32_t>(bytes.size() - before));
  }
  char error[512] = "";
  made->library_ =
      gossamer_grammar_vocabulary(reinterpret_cast<const uint8_t*>(bytes.data()), lengths.data(), source.head_rows(),
                                  made->end_token_.value_or(kNoToken), tokenize, &source, error, sizeof error);
  if (!made->library_) return make_error(ErrorCode::kUnsupported, "grammars cannot be used: {}", error);
  return std::shared_ptr<const Vocabulary>(std::move(made));
}

}  // namespace gossamer::grammar
