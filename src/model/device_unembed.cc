/// The head on a GPU: of the positions that were asked for, all logits or the best few.

#include <algorithm>

#include "kernels/unembed_columns.h"
#include "model/device_forward.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr size_t kMostRows = 64;  // computed together: 51 MB of logits

/// A position that wants logits.
struct Asked {
  uint32_t token;  // its number in the batch
  const TokenMask* mask;
  TopWish wish;

  /// More candidates than a block sorts come to the host as logits, and are sorted there.
  bool wants_all() const { return wish.k == 0 || wish.k > kMostCandidates; }
};

std::vector<Asked> positions_of(const Batch& batch) {
  std::vector<Asked> asked;
  uint32_t first = 0;
  for (const BatchRow& row : batch.rows) {
    for (size_t a = 0; a < row.logit_offsets.size(); ++a)
      asked.push_back({first + row.logit_offsets[a], row.masks.empty() ? nullptr : row.masks[a],
                       row.tops.empty() ? TopWish() : row.tops[a]});
    first += row.length;
  }
  return asked;
}

/// What kernels are told about some positions, in one copy: 32-bit words, then masks.
struct Orders {
  std::vector<uint32_t> words;
  size_t tokens = 0, rows = 0, changes = 0, masks = 0;  // where they begin
  uint32_t max_k = 1;

  Orders(std::span<const Asked> asked, uint32_t vocab) {
    for (const Asked& each : asked) words.push_back(each.token);
    rows = words.size();
    uint32_t num_masks = 0, num_changes = 0;
    for (const Asked& each : asked) {
      const uint32_t k = each.wants_all() ? 0 : each.wish.k;
      const auto of_row = static_cast<uint32_t>(k > 0 ? each.wish.changes.size() : 0);
      max_k = std::max(max_k, k);
      words.insert(words.end(),
                   {each.mask ? num_masks++ : ~0u, num_changes, of_row, k, uint32_t{each.wish.wants_log_sum_exp}});
      num_changes += of_row;
    }
    changes = words.size();
    for (const Asked& each : asked)
      if (!each.wants_all())
        for (const kernels::LogitChange& change : each.wish.changes)
          words.insert(words.end(),
                       {change.token, std::bit_cast<uint32_t>(change.bias), std::bit_cast<uint32_t>(change.repetition),
                        std::bit_cast<uint32_t>(change.penalty)});
    masks = words.size();
    for (const Asked& each : asked) {
      if (!each.mask) continue;
      words.insert(words.end(), each.mask->words().begin(), each.mask->words().begin() + (vocab + 31) / 32);
    }
  }
};
static_assert(sizeof(ChoiceRow) == 5 * sizeof(uint32_t) && sizeof(LogitChangeOp) == 4 * sizeof(uint32_t));

/// The best of logits that came to the host, as the CPU's backends choose them.
void choose_here(const TopWish& wish, std::span<float> logits) {
  kernels::UnembedRow row;
  row.changes = wish.changes;
  if (wish.wants_log_sum_exp) wish.top->log_sum_exp = kernels::log_sum_exp(logits);
  kernels::change_columns(row, 0, logits);
  kernels::TopCollector collector;
  collector.reset(wish.k);
  collector.add(0, logits);
  wish.top->best = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, wish.k);
}

}  // namespace

Result<std::span<const float>> DeviceForward::unembed(const Batch& batch) {
  const std::vector<Asked> asked = positions_of(batch);
  const uint32_t vocab = config_.vocab_size, padded = padded_cols(config_.hidden);
  logits_.resize(vocab * static_cast<size_t>(std::count_if(asked.begin(), asked.end(),
                                                           [](const Asked& each) { return each.wish.k == 0; })));
  float* next_logits = logits_.data();
  std::vector<float> row_logits;
  for (size_t first = 0; first < asked.size(); first += kMostRows) {
    const std::span<const Asked> some = std::span(asked).subspan(first, std::min(kMostRows, asked.size() - first));
    const auto num_rows = static_cast<uint32_t>(some.size());
    const Orders orders(some, vocab);
    ChooseOp choose{};
    uint32_t* words = nullptr;
    uint16_t* normed = nullptr;
    const auto cut_all = [&](std::byte* memory) {
      DeviceCutter cutter(memory);
      cutter.cut(words, orders.words.size());
      cutter.cut(normed, size_t{num_rows} * padded);
      cutter.cut(choose.logits, size_t{num_rows} * vocab);
      cutter.cut(choose.best, size_t{num_rows} * orders.max_k);
      cutter.cut(choose.num_best, num_rows);
      cutter.cut(choose.log_sum_exp, num_rows);
      return cutter.used();
    };
    GOS_TRY_STATUS(grow(head_, cut_all(nullptr)));
    cut_all(head_.data());
    stream_.copy_to_device(words, orders.words.data(), orders.words.size() * sizeof(uint32_t));

    norm_for(weights_.lm_head(), weights_.final_norm(), words + orders.tokens, num_rows, normed);
    multiply(weights_.lm_head(), normed, padded, num_rows, Finish::kStore, choose.logits);
    choose.num_rows = num_rows;
    choose.vocab = vocab;
    choose.rows = reinterpret_cast<const ChoiceRow*>(words + orders.rows);
    choose.changes = reinterpret_cast<const LogitChangeOp*>(words + orders.changes);
    choose.masks = words + orders.masks;
    choose.max_k = orders.max_k;
    kernels::cuda::choose(choose, stream_.get());

    std::vector<DeviceCandidate> best(size_t{num_rows} * orders.max_k);
    std::vector<uint32_t> num_best(num_rows);
    std::vector<double> sums(num_rows);
    stream_.copy_to_host(best.data(), choose.best, best.size() * sizeof(DeviceCandidate));
    stream_.copy_to_host(num_best.data(), choose.num_best, num_rows * sizeof(uint32_t));
    stream_.copy_to_host(sums.data(), choose.log_sum_exp, num_rows * sizeof(double));
    for (uint32_t i = 0; i < num_rows; ++i) {
      if (some[i].wish.k != 0) continue;
      stream_.copy_to_host(next_logits, choose.logits + size_t{i} * vocab, vocab * sizeof(float));
      next_logits += vocab;
    }
    GOS_TRY_STATUS(stream_.synchronize());
    for (uint32_t i = 0; i < num_rows; ++i) {
      const TopWish& wish = some[i].wish;
      if (wish.k == 0) continue;
      if (some[i].wants_all()) {
        row_logits.resize(vocab);
        stream_.copy_to_host(row_logits.data(), choose.logits + size_t{i} * vocab, vocab * sizeof(float));
        GOS_TRY_STATUS(stream_.synchronize());
        choose_here(wish, row_logits);
        continue;
      }
      if (wish.wants_log_sum_exp) wish.top->log_sum_exp = sums[i];
      wish.top->best.clear();
      for (uint32_t b = 0; b < num_best[i]; ++b) {
        const DeviceCandidate& candidate = best[size_t{i} * orders.max_k + b];
        wish.top->best.push_back({candidate.token, candidate.logit});
      }
    }
  }
  return std::span<const float>(logits_);
}

}  // namespace gossamer
