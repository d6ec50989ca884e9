#include "tokenizer/vocabulary.h"

#include "tokenizer/bpe_merge.h"
#include "tokenizer/pretokenizer.h"

namespace gossamer {

Result<Vocabulary> Vocabulary::by_rank(TokenTable tokens, std::string_view what) {
  Vocabulary vocabulary(std::move(tokens), std::nullopt, true);
  GOS_TRY_STATUS(vocabulary.find_byte_tokens(what));
  return vocabulary;
}

Result<Vocabulary> Vocabulary::by_merges(TokenTable tokens, MergeTable merges, bool whole_pieces, std::string_view what) {
  Vocabulary vocabulary(std::move(tokens), std::move(merges), whole_pieces);
  GOS_TRY_STATUS(vocabulary.find_byte_tokens(what));
  return vocabulary;
}

Status Vocabulary::find_byte_tokens(std::string_view what) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[byte] = tokens_.find({&c, 1});
    if (byte_ids_[byte] == kNoToken)
      return make_error(ErrorCode::kInvalidInput,
                        "{} has no token for the byte 0x{:02x}; a byte-level vocabulary has one for each of the 256", what, byte);
  }
  return {};
}

void Vocabulary::encode(std::string_view text, std::vector<TokenId>& out) const {
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin != end;) {
    const char* piece_end = o200k_piece_end(begin, end);
    const std::string_view piece(begin, static_cast<size_t>(piece_end - begin));
    begin = piece_end;
    const TokenId whole = whole_pieces_ ? tokens_.find(piece) : kNoToken;
    if (whole != kNoToken) {
      out.push_back(whole);
    } else {
      merge(piece, out);
    }
  }
}

void Vocabulary::merge(std::string_view piece, std::vector<TokenId>& out) const {
  if (merges_) {
    merge_piece(piece, byte_ids_, [&](const Part& left, const Part& right) { return merges_->find(left.id, right.id); }, out);
    return;
  }
  merge_piece(piece, byte_ids_,
              [&](const Part& left, const Part& right) {
                const TokenId id = tokens_.find(piece.substr(left.begin, right.end - left.begin));
                return Merge{id, id};  // kNoToken is kNoMerge
              },
              out);
}

}  // namespace gossamer
