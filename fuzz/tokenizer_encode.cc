/// Any bytes through the encoder: they come back mended and nothing else, as text only; with special tokens recognised
/// too.

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  static const auto tokenizer = Tokenizer::o200k_harmony();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string mended = utf8_lossy(text);

  const std::vector<TokenId> ids = tokenizer->encode(text);
  GOS_CHECK(tokenizer->decode_bytes(ids) == mended);
  for (const TokenId id : ids) GOS_CHECK(tokenizer->kind(id) == TokenKind::kText);

  std::vector<TokenId> special_ids;
  tokenizer->encode_with_specials(text, special_ids);
  GOS_CHECK(tokenizer->decode_bytes(special_ids) == mended);
  return 0;
}
