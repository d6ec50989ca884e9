#include "tokenizer/token_table.h"

#include <algorithm>

namespace gossamer {
namespace {

uint64_t hash_of_bytes(std::string_view bytes) {
  return bytes.size() <= PieceKey::kMaxBytes ? hash_of(PieceKey::copy(bytes)) : hash_of_long(bytes);
}

}  // namespace

TokenTable::TokenTable(std::string blob, std::vector<uint32_t> offsets, Counts counts)
    : blob_(std::move(blob)),
      offsets_(std::move(offsets)),
      pairs_(65536, kNoToken),
      short_tokens_(counts.num_short),
      long_tokens_(counts.num_long),
      num_tokens_(static_cast<uint32_t>(counts.num_short + counts.num_long)),
      longest_token_bytes_(counts.longest) {
  blob_.append(PieceKey::kReadBytes, '\0');
}

Result<TokenTable> TokenTable::build(std::string blob, std::vector<uint32_t> offsets, std::string_view what) {
  Counts counts;
  for (size_t id = 0; id + 1 < offsets.size(); ++id) {
    const size_t size = offsets[id + 1] - offsets[id];
    (size <= kShortBytes ? counts.num_short : counts.num_long) += size > 0;
    counts.longest = std::max(counts.longest, size);
  }
  TokenTable table(std::move(blob), std::move(offsets), counts);
  for (TokenId id = 0; id < table.num_ids(); ++id) {
    if (table.bytes(id).empty()) continue;
    switch (table.add(id)) {
      case Added::kYes:
        break;
      case Added::kDuplicate:
        return make_error(ErrorCode::kInvalidInput, "{}: tokens {} and {} have the same bytes", what,
                          table.find(table.bytes(id)), id);
      case Added::kColliding:
        return make_error(ErrorCode::kInvalidInput,
                          "{}: the tokens were chosen so that their hashes collide (token {})", what, id);
    }
  }
  return table;
}

Added TokenTable::add(TokenId id) {
  const std::string_view bytes = this->bytes(id);
  if (bytes.size() == 2) pairs_[static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1])] = id;
  if (bytes.size() <= kShortBytes) return short_tokens_.add(load_word(bytes.data(), bytes.size()), id);
  const Added added = long_tokens_.add(long_key(hash_of_bytes(bytes)), id);
  // Other bytes with the very same hash are no accident.
  return added == Added::kDuplicate && find(bytes) == kNoToken ? Added::kColliding : added;
}

TokenId TokenTable::find(std::string_view bytes) const {
  if (bytes.size() > PieceKey::kMaxBytes) return find_long(bytes);
  if (bytes.empty()) return kNoToken;
  char padded[PieceKey::kReadBytes] = {};
  std::memcpy(padded, bytes.data(), bytes.size());
  return find_padded(padded, bytes.size());
}

TokenId TokenTable::find_long(std::string_view bytes) const {
  if (bytes.size() > longest_token_bytes_) return kNoToken;
  const TokenId id = long_tokens_.find(long_key(hash_of_bytes(bytes)));
  return id != kNoToken && this->bytes(id) == bytes ? id : kNoToken;
}

}  // namespace gossamer
