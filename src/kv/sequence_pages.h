#pragma once

#include <cstdint>
#include <vector>

#include "kv/prefix_index.h"

namespace gossamer {

/// The block tables of one sequence: entry i is the page of tokens 32 i .. 32 i + 31. Owned by the engine's sequence,
/// changed by the KvManager alone.
struct SequencePages {
  std::vector<PageId> full;     ///< without gaps
  std::vector<PageId> sliding;  ///< as long as `full`; kNoPage where the page was dropped or never needed
  uint32_t sliding_begin = 0;   ///< no page before this one is held in `sliding`

  CacheSalt salt = 0;
  bool shares_prefix = true;          ///< false: neither looks prefixes up nor publishes them
  std::vector<uint32_t> checkpoints;  ///< token counts, multiples of 32, ascending, at which others may begin again
  uint32_t next_checkpoint = 0;       ///< the first of `checkpoints` that is not published yet
  std::vector<PrefixNode*> nodes;  ///< published nodes, in order; each holds its full page, so none goes away meanwhile
};

}  // namespace gossamer
