#include "model/solo_sequence.h"

#include <numeric>

#include "model/model.h"

namespace gossamer {

Result<SoloSequence> SoloSequence::make(const Model& model, kernels::KvDtype dtype, uint32_t max_tokens) {
  const uint32_t pages = pages_of(max_tokens);
  GOS_TRY(KvMemory memory, model.allocate_kv(dtype, 2 * pages));
  SoloSequence sequence(std::move(memory));
  sequence.full_.resize(pages);
  sequence.sliding_.resize(pages);
  std::iota(sequence.full_.begin(), sequence.full_.end(), 0u);
  std::iota(sequence.sliding_.begin(), sequence.sliding_.end(), pages);
  return sequence;
}

BatchRow SoloSequence::next_row(uint32_t length) {
  BatchRow row;
  row.cache = {&memory_, full_, sliding_};
  row.start = num_tokens_;
  row.length = length;
  num_tokens_ += length;
  return row;
}

}  // namespace gossamer
