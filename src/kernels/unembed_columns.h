#pragma once

#include <algorithm>

#include "kernels/ops.h"

namespace gossamer::kernels {

/// Makes forbidden tokens' logits minus infinity; `logits` are those of the tokens from `first` on, a multiple of 32.
/// Most masks allow nearly all or forbid nearly all, so whole words are looked at first.
inline void forbid_columns(const UnembedRow& row, uint32_t first, std::span<float> logits) {
  if (!row.allowed) return;
  for (size_t begin = 0; begin < logits.size(); begin += 32) {
    const uint32_t word = row.allowed[(first + begin) / 32];
    if (word == ~0u) continue;
    const size_t end = std::min(logits.size(), begin + 32);
    for (size_t i = begin; i < end; ++i)
      if (!(word >> (i - begin) & 1u)) logits[i] = -std::numeric_limits<float>::infinity();
  }
}

/// Changes the logits of the tokens from `first` on, as far as the row has changes for them.
inline void change_columns(const UnembedRow& row, uint32_t first, std::span<float> logits) {
  auto change = std::lower_bound(row.changes.begin(), row.changes.end(), first,
                                 [](const LogitChange& c, uint32_t token) { return c.token < token; });
  for (; change != row.changes.end() && change->token - first < logits.size(); ++change)
    logits[change->token - first] = change->apply(logits[change->token - first]);
}

}  // namespace gossamer::kernels
