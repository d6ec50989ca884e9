#include "tokenizer/o200k_harmony.h"

#include <zstd.h>

#include "base/check.h"

extern "C" {
extern const char gossamer_o200k_ranks_begin[];  // o200k_ranks.S
extern const char gossamer_o200k_ranks_end[];
}

namespace gossamer {
namespace {

/// The packed ranks: one byte of length for each token, then the bytes of all tokens, compressed.
TokenTable unpack_text_tokens() {
  const char* const packed = gossamer_o200k_ranks_begin;
  const auto packed_bytes = static_cast<size_t>(gossamer_o200k_ranks_end - gossamer_o200k_ranks_begin);
  const auto unpacked_bytes = ZSTD_getFrameContentSize(packed, packed_bytes);
  GOS_CHECK(unpacked_bytes > kO200kTextTokens && unpacked_bytes < ZSTD_CONTENTSIZE_ERROR);
  std::string unpacked(unpacked_bytes, '\0');
  GOS_CHECK(ZSTD_decompress(unpacked.data(), unpacked.size(), packed, packed_bytes) == unpacked.size());

  std::vector<uint32_t> offsets(kO200kTextTokens + 1);
  for (uint32_t id = 0; id < kO200kTextTokens; ++id)
    offsets[id + 1] = offsets[id] + static_cast<unsigned char>(unpacked[id]);
  GOS_CHECK(kO200kTextTokens + offsets.back() == unpacked.size());
  unpacked.erase(0, kO200kTextTokens);
  auto table = TokenTable::build(std::move(unpacked), std::move(offsets), "o200k_harmony");
  GOS_CHECK(table.ok());
  return std::move(table).value();
}

std::string special_name(TokenId id) {
  switch (id) {
    case 199998:
      return "<|startoftext|>";
    case 199999:
      return "<|endoftext|>";
    case 200002:
      return "<|return|>";
    case 200003:
      return "<|constrain|>";
    case 200005:
      return "<|channel|>";
    case 200006:
      return "<|start|>";
    case 200007:
      return "<|end|>";
    case 200008:
      return "<|message|>";
    case 200012:
      return "<|call|>";
    case 200018:
      return "<|endofprompt|>";
    default:
      return fmt::format("<|reserved_{}|>", id);
  }
}

std::shared_ptr<const BpeTokenizer> make_o200k_harmony() {
  auto vocabulary = Vocabulary::by_rank(unpack_text_tokens(), "o200k_harmony");
  GOS_CHECK(vocabulary.ok());
  return std::make_shared<BpeTokenizer>(std::make_shared<const Vocabulary>(std::move(vocabulary).value()),
                                        o200k_special_tokens(), kO200kHeadRows);
}

}  // namespace

SpecialTokens o200k_special_tokens() {
  std::vector<std::pair<TokenId, std::string>> tokens;
  for (TokenId id = kO200kTextTokens; id < kO200kNamedTokens; ++id) tokens.emplace_back(id, special_name(id));
  auto specials = SpecialTokens::build(std::move(tokens), "o200k_harmony");
  GOS_CHECK(specials.ok());
  return std::move(specials).value();
}

const std::shared_ptr<const BpeTokenizer>& built_in_o200k() {
  static const std::shared_ptr<const BpeTokenizer> tokenizer = make_o200k_harmony();
  return tokenizer;
}

std::shared_ptr<const Tokenizer> Tokenizer::o200k_harmony() {
  return built_in_o200k();
}

}  // namespace gossamer
