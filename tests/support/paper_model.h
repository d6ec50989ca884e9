#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/step_plan.h"

namespace gossamer::testing {

/// A model that computes nothing but remembers what every page really holds. It stands in for the forward pass wherever
/// a test asks whether the right keys and values were there to be read.
///
/// A step may write as soon as it is launched, and reads as late as just before it is settled: so a page that was given
/// away too early is overwritten before its reader comes.
class PaperModel {
 public:
  PaperModel(const KvShape& shape, uint32_t num_pages);

  /// The step is on its way: its writes happen.
  void launch(StepPlan plan);

  /// The oldest step in flight ends: its reads happen. One token for each row that samples, in order; `problem` says
  /// what was not there, if anything.
  std::vector<TokenId> finish(std::string& problem);

  size_t num_in_flight() const { return steps_.size(); }
  const StepPlan& oldest() const { return steps_.front().plan; }

  /// What this model says after a prefix. Few different tokens, so that answers meet and part again.
  static TokenId next_token(uint64_t prefix_hash) { return static_cast<TokenId>(prefix_hash >> 40) % 7; }
  static uint64_t extend(uint64_t prefix_hash, TokenId token);
  static constexpr uint64_t kEmptyPrefix = 1;

 private:
  /// A row as it was at launch.
  struct Row {
    uint32_t start = 0, end = 0;
    std::vector<PageId> full, sliding;
    std::vector<uint64_t> hashes;  // [end]: of tokens 0 .. i
  };
  struct Step {
    StepPlan plan;
    std::vector<Row> rows;
  };
  std::string check_reads(const Row& row) const;
  uint64_t& slot(PageId page, uint32_t position) {
    return memory_[page * size_t{kPageTokens} + position % kPageTokens];
  }

  KvShape shape_;
  std::vector<uint64_t> memory_;  // [page, token of the page]: hash of the prefix that ends there, and the group
  std::deque<Step> steps_;
};

}  // namespace gossamer::testing
