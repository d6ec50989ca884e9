#include "tokenizer/bpe_tokenizer.h"

#include <cstring>

#include "base/utf8.h"

namespace gossamer {
namespace {

/// The first byte at or after `p` that is not ASCII, eight bytes at a time.
const char* skip_ascii(const char* p, const char* end) {
  for (uint64_t word; end - p >= 8; p += 8) {
    std::memcpy(&word, p, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (p != end && static_cast<signed char>(*p) >= 0) ++p;
  return p;
}

/// utf8_valid(text), at the speed of memory where the text is mostly ASCII: no character spans an ASCII byte.
bool is_well_formed(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = skip_ascii(text.data(), end); p != end; p = skip_ascii(p, end)) {
    const char* begin = p;
    while (p != end && static_cast<signed char>(*p) < 0) ++p;
    if (!utf8_valid({begin, static_cast<size_t>(p - begin)})) return false;
  }
  return true;
}

}  // namespace

BpeTokenizer::BpeTokenizer(std::shared_ptr<const Vocabulary> vocabulary, SpecialTokens specials, uint32_t head_rows)
    : vocabulary_(std::move(vocabulary)),
      specials_(std::move(specials)),
      head_rows_(head_rows),
      named_tokens_(vocabulary_->tokens().num_tokens() + static_cast<uint32_t>(specials_.tokens().size())) {}

void BpeTokenizer::encode(std::string_view text, std::vector<TokenId>& out) const {
  if (is_well_formed(text)) {
    vocabulary_->encode(text, out);
  } else {
    vocabulary_->encode(utf8_lossy(text), out);
  }
}

void BpeTokenizer::encode_with_specials(std::string_view text, std::vector<TokenId>& out) const {
  size_t done = 0;
  while (const auto found = specials_.find_in(text, done)) {
    encode(text.substr(done, found->begin - done), out);
    out.push_back(found->id);
    done = found->end;
  }
  encode(text.substr(done), out);
}

std::string_view BpeTokenizer::token_bytes(TokenId id) const {
  const std::string_view bytes = vocabulary_->tokens().bytes(id);
  return bytes.empty() ? specials_.name(id) : bytes;
}

TokenKind BpeTokenizer::kind(TokenId id) const {
  if (!vocabulary_->tokens().bytes(id).empty()) return TokenKind::kText;
  return specials_.name(id).empty() ? TokenKind::kUnnamed : TokenKind::kSpecial;
}

std::optional<TokenId> BpeTokenizer::text_token(std::string_view bytes) const {
  const TokenId id = vocabulary_->tokens().find(bytes);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

}  // namespace gossamer
