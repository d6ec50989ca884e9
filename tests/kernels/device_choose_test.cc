/// The choice of candidates on the device: that of kernels/top_logits.h, number for number.

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/device_test.h"
#include "kernels/exp_weights.h"
#include "kernels/made_up_weights.h"
#include "kernels/unembed_columns.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

class DeviceChoice : public DeviceTest {};

TEST_F(DeviceChoice, IsThatOfASort) {
  constexpr uint32_t kVocab = 5003, kRows = 8, kMaxK = 300, kMaskWords = (kVocab + 31) / 32;
  std::mt19937 rng(1);
  std::vector<float> logits(kRows * kVocab);
  for (float& logit : logits)
    logit = static_cast<float>(static_cast<int>(rng() % 4000) - 2000) / 128;  // many are equal
  logits[17] = NAN;
  std::vector<uint32_t> masks(2 * kMaskWords, 0);
  for (uint32_t token = 0; token < kVocab; ++token)
    if (rng() % 2) masks[token / 32] |= 1u << token % 32;
  masks[kMaskWords + 4000 / 32] |= 1u << 4000 % 32;  // the second allows one token alone
  std::vector<LogitChangeOp> changes;
  for (uint32_t token = 3; token < kVocab; token += 40)
    changes.push_back({token, static_cast<float>(rng() % 9) - 4.f, 1.3f, 0.25f});
  const auto all_changes = static_cast<uint32_t>(changes.size());
  const std::vector<ChoiceRow> rows = {{~0u, 0, 0, 1, 0}, {~0u, 0, 0, 300, 1},          {0, 0, 0, 50, 1},
                                       {1, 0, 0, 50, 1},  {~0u, 0, all_changes, 20, 1}, {0, 0, all_changes, 257, 0},
                                       {0, 0, 0, 0, 0},   {1, 0, all_changes, 1, 0}};
  ChooseOp args{};
  args.logits = upload(logits);
  args.num_rows = kRows;
  args.vocab = kVocab;
  args.rows = upload(rows);
  args.masks = upload(masks);
  args.changes = upload(changes);
  args.max_k = kMaxK;
  args.best = make<DeviceCandidate>(kRows * kMaxK);
  args.num_best = make<uint32_t>(kRows);
  args.log_sum_exp = make<double>(kRows);
  args.largest = make<float>(kRows);
  choose(args, stream_.get());
  const auto best = download(args.best, kRows * kMaxK);
  const auto num_best = download(args.num_best, kRows);
  const auto sums = download(args.log_sum_exp, kRows);
  const auto largest = download(args.largest, kRows);
  const auto masked = download(args.logits, kRows * kVocab);

  for (uint32_t r = 0; r < kRows; ++r) {
    SCOPED_TRACE(r);
    std::vector<float> row(logits.begin() + r * kVocab, logits.begin() + (r + 1) * kVocab);
    UnembedRow wanted;
    if (rows[r].mask != ~0u) wanted.allowed = &masks[rows[r].mask * kMaskWords];
    forbid_columns(wanted, 0, row);
    if (rows[r].k == 0) {
      EXPECT_EQ(std::vector<float>(masked.begin() + r * kVocab, masked.begin() + (r + 1) * kVocab), row);
      continue;
    }
    if (rows[r].wants_log_sum_exp) {
      EXPECT_NEAR(sums[r], log_sum_exp(row), 1e-5);
      EXPECT_EQ(largest[r], kernels::largest_of(row));
    }
    std::vector<LogitChange> of_row;
    for (uint32_t c = 0; c < rows[r].num_changes; ++c)
      of_row.push_back({changes[c].token, changes[c].bias, changes[c].repetition, changes[c].penalty});
    wanted.changes = of_row;
    change_columns(wanted, 0, row);
    TopCollector collector;
    collector.reset(rows[r].k);
    collector.add(0, row);
    const auto want = best_of({collector.candidates().begin(), collector.candidates().end()}, rows[r].k);
    ASSERT_EQ(num_best[r], want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(best[r * kMaxK + i].token, want[i].token) << i;
      EXPECT_EQ(best[r * kMaxK + i].logit, want[i].logit) << i;
    }
  }
}

}  // namespace
}  // namespace gossamer::testing
