#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/token_table.h"

namespace gossamer {

/// Ids and ranks of merges stay below this; a file that says more is refused.
inline constexpr uint32_t kMaxTokenIds = 1u << 23;

/// The text tokens of a tokenizer and how text becomes them: byte-level BPE behind the o200k split pattern. Knows no
/// special tokens. Immutable.
class Vocabulary {
 public:
  /// tiktoken's rule: two neighbours merge where their bytes together are a token, and its id is the rank. A piece that
  /// is a token is taken whole. Errors: a byte that has no token.
  static Result<Vocabulary> by_rank(TokenTable tokens, std::string_view what);

  /// Hugging Face's rule: the merges are listed. `whole_pieces` is its ignore_merges: a piece that is a token is taken
  /// whole. Errors: a byte that has no token.
  static Result<Vocabulary> by_merges(TokenTable tokens, MergeTable merges, bool whole_pieces, std::string_view what);

  const TokenTable& tokens() const { return tokens_; }

  /// Appends the ids of `text`, which is well-formed UTF-8.
  void encode(std::string_view text, std::vector<TokenId>& out) const;

 private:
  Vocabulary(TokenTable tokens, std::optional<MergeTable> merges, bool whole_pieces);
  Status find_byte_tokens(std::string_view what);
  void encode_piece(std::string_view piece, TokenId whole, std::vector<TokenId>& out) const;
  void merge_by_rank(std::string_view piece, std::vector<TokenId>& out) const;

  TokenTable tokens_;
  std::optional<MergeTable> merges_;  // nothing: by rank
  bool whole_pieces_;
  uint64_t serial_;  // never given twice in a process: owns the entries of a thread's PieceCache
  TokenId byte_ids_[256] = {};
};

}  // namespace gossamer
