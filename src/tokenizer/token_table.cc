#include "tokenizer/token_table.h"

#include <algorithm>
#include <bit>

#include "tokenizer/byte_hash.h"

namespace gossamer {
namespace {

// A hostile file can choose tokens whose hashes collide; inserting them would take quadratic time. In o200k the longest probe is
// some dozen slots.
constexpr size_t kMaxProbes = 4096;

}  // namespace

Result<TokenTable> TokenTable::build(std::string blob, std::vector<uint32_t> offsets, std::string_view what) {
  TokenTable table;
  table.blob_ = std::move(blob);
  table.offsets_ = std::move(offsets);
  const uint32_t num_ids = table.num_ids();
  const size_t num_slots = std::bit_ceil(static_cast<size_t>(num_ids) * 2 + 1);
  table.slots_.resize(num_slots);
  for (TokenId id = 0; id < num_ids; ++id) {
    const std::string_view bytes = table.bytes(id);
    if (bytes.empty()) continue;
    const uint64_t hash = byte_hash(bytes);
    const auto tag = static_cast<uint32_t>(hash >> 32);
    size_t slot = hash & (num_slots - 1), probes = 0;
    for (; table.slots_[slot].id != kNoToken; slot = (slot + 1) & (num_slots - 1)) {
      const Slot& taken = table.slots_[slot];
      if (taken.tag == tag && table.bytes(taken.id) == bytes)
        return make_error(ErrorCode::kInvalidInput, "{}: tokens {} and {} have the same bytes", what, taken.id, id);
      if (++probes == kMaxProbes)
        return make_error(ErrorCode::kInvalidInput, "{}: the tokens were chosen so that their hashes collide (token {})", what, id);
    }
    table.slots_[slot] = {tag, id};
    ++table.num_tokens_;
    table.longest_token_bytes_ = std::max(table.longest_token_bytes_, static_cast<uint32_t>(bytes.size()));
  }
  return table;
}

TokenId TokenTable::find(std::string_view bytes) const {
  if (bytes.empty() || bytes.size() > longest_token_bytes_) return kNoToken;
  const uint64_t hash = byte_hash(bytes);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const Slot& candidate = slots_[slot];
    if (candidate.id == kNoToken) return kNoToken;
    if (candidate.tag == tag && this->bytes(candidate.id) == bytes) return candidate.id;
  }
}

}  // namespace gossamer
