#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"
#include "tokenizer/piece_key.h"

namespace gossamer {

/// The ids of short pieces that were met before: a direct-mapped table of 1 MiB. Text repeats itself: nine pieces in
/// ten are found here, in one cache line, where the tables of all tokens need several and merging needs dozens.
/// (Measured: a quarter of the size costs a fifth of the speed.) Not for sharing between threads.
class PieceCache {
 public:
  static constexpr size_t kMaxIds = 4;

  struct Entry {
    PieceKey key;               // {0, 0}: empty
    TokenId ids[kMaxIds] = {};  // ids stay below 2^23 (kMaxTokenIds); the top byte of the first holds their number

    void append_to(std::vector<TokenId>& out) const {
      out.push_back(ids[0] & 0xFFFFFF);
      for (size_t i = 1; i < ids[0] >> 24; ++i) out.push_back(ids[i]);
    }
    /// Takes the place of what was here; more than kMaxIds ids are not kept.
    void store(PieceKey new_key, std::span<const TokenId> new_ids) {
      if (new_ids.size() > kMaxIds) return;
      key = new_key;
      std::copy(new_ids.begin(), new_ids.end(), ids);
      ids[0] |= static_cast<TokenId>(new_ids.size()) << 24;
    }
  };
  static_assert(sizeof(Entry) == 32);

  PieceCache() : entries_(kEntries) {}

  /// Where the piece belongs; it holds that piece or another one.
  Entry& entry(PieceKey key) { return entries_[hash_of(key) & (kEntries - 1)]; }
  void clear() { entries_.assign(kEntries, Entry{}); }

 private:
  static constexpr int kEntryBits = 15;
  static constexpr size_t kEntries = size_t{1} << kEntryBits;
  std::vector<Entry> entries_;
};

}  // namespace gossamer
