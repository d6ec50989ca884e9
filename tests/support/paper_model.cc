#include "support/paper_model.h"

#include <fmt/format.h>

namespace gossamer::testing {
namespace {

constexpr uint64_t kFull = 0x1111, kSliding = 0x2222;  // keys and values of one group are of no use to the other

}  // namespace

PaperModel::PaperModel(const KvShape& shape, uint32_t num_pages)
    : shape_(shape), memory_(static_cast<size_t>(num_pages) * kPageTokens, 0) {}

uint64_t PaperModel::extend(uint64_t prefix_hash, TokenId token) {
  uint64_t hash = (prefix_hash ^ (token + 1)) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

void PaperModel::launch(StepPlan plan) {
  Step step;
  for (const PlannedRow& planned : plan.rows) {
    const Sequence& sequence = *planned.sequence;
    Row row{planned.start, planned.start + planned.length, sequence.pages.full, sequence.pages.sliding, {}};
    uint64_t hash = kEmptyPrefix;
    for (uint32_t i = 0; i < row.end; ++i) {
      // a token that another step is still sampling stays on the device: this model knows it already
      hash = extend(hash, i < sequence.known.size() ? sequence.known[i] : next_token(hash));
      row.hashes.push_back(hash);
    }
    for (uint32_t i = row.start; i < row.end; ++i) {
      if (shape_.full_layers) slot(row.full[i / kPageTokens], i) = row.hashes[i] ^ kFull;
      if (const PageId page = row.sliding[i / kPageTokens]; page != kNoPage) slot(page, i) = row.hashes[i] ^ kSliding;
    }
    step.rows.push_back(std::move(row));
  }
  step.plan = std::move(plan);
  steps_.push_back(std::move(step));
}

std::string PaperModel::check_reads(const Row& row) const {
  const auto holds = [&](PageId page, uint32_t position, uint64_t group) {
    return memory_[page * size_t{kPageTokens} + position % kPageTokens] == (row.hashes[position] ^ group);
  };
  for (uint32_t i = 0; i < row.end; ++i) {
    if (shape_.full_layers && !holds(row.full[i / kPageTokens], i, kFull))
      return fmt::format("token {} of a row at {} .. {} is not in its full page", i, row.start, row.end);
    if (!shape_.sliding_layers || i + shape_.window_tokens <= row.start) continue;
    const PageId page = row.sliding[i / kPageTokens];
    if (page == kNoPage && i < row.start)
      return fmt::format("token {} of a row at {} .. {} has no sliding page", i, row.start, row.end);
    if (page != kNoPage && !holds(page, i, kSliding))
      return fmt::format("token {} of a row at {} .. {} is not in its sliding page", i, row.start, row.end);
  }
  return {};
}

std::vector<TokenId> PaperModel::finish(std::string& problem) {
  const Step& step = steps_.front();
  std::vector<TokenId> sampled;
  for (size_t i = 0; i < step.rows.size(); ++i) {
    if (problem.empty()) problem = check_reads(step.rows[i]);
    if (step.plan.rows[i].samples) sampled.push_back(next_token(step.rows[i].hashes.back()));
  }
  steps_.pop_front();
  return sampled;
}

}  // namespace gossamer::testing
