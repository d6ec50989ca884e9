#include "engine/precision_loss.h"

#include <algorithm>

#include "base/check.h"
#include "model/solo_sequence.h"

namespace gossamer {
namespace {

/// One mode at work.
struct Runner {
  const PrecisionMode* mode;
  Model* model;
  SoloSequence sequence;
  LogitDifference difference;
};

/// The caches of these modes may differ; nothing else does.
bool share_a_model(const PrecisionMode& a, const PrecisionMode& b) {
  return a.products == b.products && a.dense_dtype == b.dense_dtype;
}

/// The models of the modes, the judge's first. They view one file, whose weights are in memory once however many
/// models there are, but for those that keep some of them in another dtype.
class Models {
 public:
  explicit Models(LoadedModel& judge) : judge_(judge) {}

  /// For the mode that comes after those of `runners`. Errors: as make_backend().
  Result<Model*> find_or_make(const PrecisionMode& mode, std::span<const Runner> runners) {
    if (runners.empty()) return judge_.model.get();
    for (const Runner& runner : runners)
      if (share_a_model(mode, *runner.mode)) return runner.model;
    GOS_TRY(auto backend, kernels::make_backend(judge_.model->backend().name(), *judge_.threads, mode.products));
    made_.push_back(std::make_unique<Model>(judge_.checkpoint, std::move(backend), mode.dense_dtype));
    if (mode.dense_dtype != DenseDtype::kAsStored) GOS_TRY_STATUS(made_.back()->pack({}));
    return made_.back().get();
  }

 private:
  LoadedModel& judge_;
  std::vector<std::unique_ptr<Model>> made_;
};

/// A chunk of a window: what is computed, where logits are asked for, and the tokens that follow there.
struct Chunk {
  std::vector<TokenId> tokens;
  std::vector<uint32_t> offsets;
  std::vector<TokenId> next;  // [offsets]
};

Chunk chunk_at(const ScoredTokens& window, size_t start) {
  const size_t end = std::min(start + kPrefillChunkTokens, window.tokens.size() - 1);
  Chunk chunk;
  chunk.tokens.assign(window.tokens.begin() + start, window.tokens.begin() + end);
  for (size_t i = start; i < end; ++i) {
    if (!window.scored[i + 1]) continue;
    chunk.offsets.push_back(static_cast<uint32_t>(i - start));
    chunk.next.push_back(window.tokens[i + 1]);
  }
  return chunk;
}

/// Logits [asked, V], valid until the next forward of this model.
Result<std::span<const float>> compute(Runner& runner, const Chunk& chunk) {
  Batch batch;
  batch.tokens = chunk.tokens;
  BatchRow& row = batch.rows.emplace_back(runner.sequence.next_row(static_cast<uint32_t>(chunk.tokens.size())));
  row.logit_offsets = chunk.offsets;
  return runner.model->forward(batch);
}

void compare(std::span<const float> judge, std::span<const float> other, const std::vector<TokenId>& next,
             LogitDifference& difference) {
  const size_t vocabulary = next.empty() ? 0 : judge.size() / next.size();
  for (size_t i = 0; i < next.size(); ++i)
    difference.add(judge.subspan(i * vocabulary, vocabulary), other.subspan(i * vocabulary, vocabulary), next[i]);
}

Status compare_window(const ScoredTokens& window, std::span<Runner> runners,
                      const std::function<void(uint64_t)>& on_tokens) {
  for (Runner& runner : runners) runner.sequence.truncate(0);
  std::vector<float> judged;  // a copy: the judge's model serves other modes too
  for (size_t start = 0; start + 1 < window.tokens.size(); start += kPrefillChunkTokens) {
    const Chunk chunk = chunk_at(window, start);
    for (Runner& runner : runners) {
      GOS_TRY(const std::span<const float> logits, compute(runner, chunk));
      if (&runner == &runners.front()) judged.assign(logits.begin(), logits.end());
      compare(judged, logits, chunk.next, runner.difference);
      on_tokens(chunk.tokens.size());
    }
  }
  return {};
}

}  // namespace

std::vector<ScoredTokens> cut_windows(const ScoredTokens& text, uint32_t window_tokens) {
  GOS_CHECK(window_tokens > 0 && text.scored.size() == text.tokens.size());
  std::vector<ScoredTokens> windows;
  for (size_t start = 0; start + 1 < text.tokens.size(); start += window_tokens) {
    const size_t end = std::min(start + window_tokens + 1, text.tokens.size());
    ScoredTokens window;
    window.tokens.assign(text.tokens.begin() + start, text.tokens.begin() + end);
    window.scored.assign(text.scored.begin() + start, text.scored.begin() + end);
    window.scored.front() = false;
    if (std::find(window.scored.begin(), window.scored.end(), true) != window.scored.end())
      windows.push_back(std::move(window));
  }
  return windows;
}

Result<std::vector<LogitDifference>> measure_precision(LoadedModel& loaded, std::span<const ScoredTokens> windows,
                                                       std::span<const PrecisionMode> modes,
                                                       const std::function<void(uint64_t, uint64_t)>& on_progress) {
  size_t longest = 1;
  uint64_t done = 0, all = 0;
  for (const ScoredTokens& window : windows) {
    longest = std::max(longest, window.tokens.size());
    all += (window.tokens.size() - 1) * modes.size();
  }
  if (longest - 1 > loaded.model->config().max_context)
    return make_error(ErrorCode::kInvalidInput,
                      "windows of {} tokens do not fit into the model's context of {}; cut the text into shorter ones",
                      longest - 1, loaded.model->config().max_context);
  Models models(loaded);
  std::vector<Runner> runners;
  for (const PrecisionMode& mode : modes) {
    GOS_TRY(Model* const model, models.find_or_make(mode, runners));
    GOS_TRY(SoloSequence sequence, SoloSequence::make(*model, mode.kv_dtype, static_cast<uint32_t>(longest)));
    runners.push_back({&mode, model, std::move(sequence), {}});
  }
  for (const ScoredTokens& window : windows)
    GOS_TRY_STATUS(compare_window(window, runners, [&](uint64_t tokens) {
      done += tokens;
      if (on_progress) on_progress(done, all);
    }));
  std::vector<LogitDifference> differences;
  for (const Runner& runner : runners) differences.push_back(runner.difference);
  return differences;
}

}  // namespace gossamer
