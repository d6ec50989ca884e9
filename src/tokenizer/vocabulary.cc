#include "tokenizer/vocabulary.h"

#include <atomic>
#include <cstring>
#include <span>

#include "tokenizer/bpe_merge.h"
#include "tokenizer/pretokenizer.h"

namespace gossamer {
namespace {

uint64_t next_serial() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

constexpr size_t kBatchPieces = 16;

/// This thread's cache, emptied where it served another vocabulary.
PieceCache& cache_of_this_thread(uint64_t serial) {
  thread_local uint64_t owner = 0;
  thread_local PieceCache cache;
  if (owner != serial) {
    cache.clear();
    owner = serial;
  }
  return cache;
}

}  // namespace

Vocabulary::Vocabulary(TokenTable tokens, std::optional<MergeTable> merges, bool whole_pieces)
    : tokens_(std::move(tokens)), merges_(std::move(merges)), whole_pieces_(whole_pieces), serial_(next_serial()) {}

Result<Vocabulary> Vocabulary::by_rank(TokenTable tokens, std::string_view what) {
  Vocabulary vocabulary(std::move(tokens), std::nullopt, true);
  GOS_TRY_STATUS(vocabulary.find_byte_tokens(what));
  return vocabulary;
}

Result<Vocabulary> Vocabulary::by_merges(TokenTable tokens, MergeTable merges, bool whole_pieces,
                                         std::string_view what) {
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
                        "{} has no token for the byte 0x{:02x}; a byte-level vocabulary has one for each of the 256",
                        what, byte);
  }
  return {};
}

void Vocabulary::encode(std::string_view text, std::vector<TokenId>& out) const {
  PieceCache& cache = cache_of_this_thread(serial_);
  // Pieces are taken in batches, so that the memory that each one needs is on its way while the others are looked at.
  struct Piece {
    std::string_view text;
    PieceKey key;              // of short ones
    PieceCache::Entry* entry;  // null: a long one
  };
  Piece batch[kBatchPieces];
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin != end;) {
    size_t num_pieces = 0;
    for (; num_pieces < kBatchPieces && begin != end; ++num_pieces) {
      const char* piece_end = o200k_piece_end(begin, end);
      Piece& piece = batch[num_pieces];
      piece.text = {begin, static_cast<size_t>(piece_end - begin)};
      piece.entry = nullptr;
      if (piece.text.size() <= PieceKey::kMaxBytes) {
        const bool readable = static_cast<size_t>(end - begin) >= PieceKey::kReadBytes;
        piece.key = readable ? PieceKey::load(begin, piece.text.size()) : PieceKey::copy(piece.text);
        piece.entry = &cache.entry(piece.key);
        __builtin_prefetch(piece.entry);
      }
      begin = piece_end;
    }
    for (const Piece& piece : std::span(batch, num_pieces)) {
      if (piece.entry != nullptr && piece.entry->key != piece.key) tokens_.prefetch(piece.key);
    }
    for (const Piece& piece : std::span(batch, num_pieces)) {
      if (piece.entry == nullptr) {
        encode_piece(piece.text, tokens_.find(piece.text), out);
      } else if (piece.entry->key == piece.key) {
        piece.entry->append_to(out);
      } else {
        const size_t first = out.size();
        encode_piece(piece.text, tokens_.find(piece.key), out);
        piece.entry->store(piece.key, {out.data() + first, out.size() - first});
      }
    }
  }
}

void Vocabulary::encode_piece(std::string_view piece, TokenId whole, std::vector<TokenId>& out) const {
  if (whole != kNoToken && whole_pieces_) {
    out.push_back(whole);
  } else if (merges_) {
    merge_piece(
        piece, byte_ids_, [&](const Part& left, const Part& right) { return merges_->find(left.id, right.id); }, out);
  } else {
    merge_by_rank(piece, out);
  }
}

void Vocabulary::merge_by_rank(std::string_view piece, std::vector<TokenId>& out) const {
  // find_padded() reads beyond the end of a token.
  char short_copy[kShortPieceBytes + PieceKey::kReadBytes];
  std::string long_copy;
  const char* padded = short_copy;
  if (piece.size() <= kShortPieceBytes) {
    std::memcpy(short_copy, piece.data(), piece.size());
  } else {
    long_copy.assign(piece).append(PieceKey::kReadBytes, '\0');
    padded = long_copy.data();
  }
  const auto pair_merge = [&](const Part& left, const Part& right) {
    const size_t size = right.end - left.begin;
    const TokenId id =
        size == 2 ? tokens_.find_pair(padded + left.begin) : tokens_.find_padded(padded + left.begin, size);
    return Merge{id, id};  // kNoToken is kNoMerge
  };
  merge_piece(piece, byte_ids_, pair_merge, out);
}

}  // namespace gossamer
