#include "engine/step_in_flight.h"

#include <algorithm>
#include <numeric>

namespace gossamer {

StepInFlight::StepInFlight(StepPlan plan, LoadedModel& loaded, const KvMemory& memory, LiveRequests& live)
    : plan_(std::move(plan)),
      loaded_(loaded),
      memory_(memory),
      live_(live),
      elsewhere_(loaded.model->elsewhere() && loaded.model->elsewhere()->can_draw() ? loaded.model->elsewhere()
                                                                                    : nullptr),
      begin_(std::chrono::steady_clock::now()),
      host_logits_(plan_.rows.size()),
      tops_(plan_.rows.size()),
      drawn_(plan_.rows.size()),
      results_(plan_.rows.size()) {}

StepInFlight::~StepInFlight() {
  if (!is_under_way_ || !elsewhere_) return;
  try {
    static_cast<void>(elsewhere_->finish_draws(number_));
  } catch (const std::exception&) {  // no memory for what nobody wants: the device has ended by then
  }
}

bool StepInFlight::is_wanted(const PlannedRow& row) const {
  return live_.contains(row.id) && row.sequence->epoch == row.epoch;
}

void StepInFlight::launch(const StepInFlight* before) {
  const Batch batch = make_batch(before);
  const Result<std::span<const float>> logits = loaded_.model->forward(batch);
  if (!logits.ok()) {
    failure_ = logits.error();
    return;
  }
  is_under_way_ = true;
  logits_ = *logits;
  if (!elsewhere_) return;
  number_ = elsewhere_->last_step();
  leaves_host_free_ = elsewhere_->can_run_ahead() && logits_.empty();
}

Batch StepInFlight::make_batch(const StepInFlight* before) {
  Batch batch;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    const PlannedRow& planned = plan_.rows[i];
    const Sequence& sequence = *planned.sequence;
    HostLogits& host_logits = host_logits_[i];
    BatchRow& row = batch.rows.emplace_back();
    row.cache = {&memory_, sequence.pages.full, sequence.pages.sliding};
    row.start = planned.start;
    row.length = planned.length;
    if (planned.start < sequence.known.size()) {
      batch.tokens.insert(batch.tokens.end(), sequence.known.begin() + planned.start,
                          sequence.known.begin() + planned.start + planned.length);
    } else {
      batch.tokens.push_back(0);
      row.drawn_row = before->sampling_number(planned.id);
    }
    host_logits.scored = scored_positions(planned);
    row.logit_offsets.resize(host_logits.scored);
    std::iota(row.logit_offsets.begin(), row.logit_offsets.end(), 0u);
    row.masks.resize(row.logit_offsets.size(), nullptr);
    if (!planned.samples) continue;
    row.logit_offsets.push_back(planned.length - 1);
    const TokenChooser& chooser = live_.at(planned.id).chooser;
    row.masks.push_back(chooser.head_mask(planned.start + planned.length - sequence.prompt_tokens));
    row.tops.resize(host_logits.scored);
    row.tops.push_back(chooser.wish(&tops_[i]));
    host_logits.last = !row.tops.back().stays && row.tops.back().k == 0;
  }
  return batch;
}

/// Positions of a row, from its first, whose next token is one of the prompt and whose logprob is asked for.
uint32_t StepInFlight::scored_positions(const PlannedRow& row) const {
  const EngineRequest& request = live_.at(row.id).request;
  const uint32_t end = row.sequence->prompt_tokens - 1;
  if (!request.prompt_logprobs || !request.top_logprobs || row.start >= end) return 0;
  return std::min(row.start + row.length, end) - row.start;
}

uint32_t StepInFlight::sampling_number(SequenceId id) const {
  uint32_t number = 0;
  for (const PlannedRow& row : plan_.rows) {
    if (row.id == id) break;
    number += row.samples;
  }
  return number;
}

void StepInFlight::draw() {
  if (failure_.ok() && elsewhere_) failure_ = draw_rows();
}

Status StepInFlight::draw_rows() {
  struct Row {
    size_t index;
    uint32_t number;  // of those that stayed
    Result<DrawWish> wish = DrawWish();
  };
  std::vector<Row> at_once, late;
  uint32_t number = 0;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    const PlannedRow& planned = plan_.rows[i];
    if (!planned.samples) continue;
    const Row row{i, number++};
    if (is_wanted(planned)) (live_.at(planned.id).chooser.waits_for_mask() ? late : at_once).push_back(row);
  }
  const auto take_wish = [&](Row& row) {
    const PlannedRow& planned = plan_.rows[row.index];
    row.wish = live_.at(planned.id)
                   .chooser.draw_wish(row.number, planned.start + planned.length, &drawn_[row.index].emplace());
  };
  const auto start = [&](std::span<Row> rows) -> Status {
    std::vector<DrawWish> wishes;
    for (Row& row : rows) {
      if (row.wish.ok()) {
        wishes.push_back(*row.wish);
      } else {
        drawn_[row.index].reset();
        results_[row.index].token = row.wish.error();
      }
    }
    return wishes.empty() ? Status() : elsewhere_->draw(wishes);
  };
  for (Row& row : at_once) take_wish(row);
  GOS_TRY_STATUS(start(at_once));
  loaded_.threads->parallel_for(static_cast<uint32_t>(late.size()), [&](uint32_t i, unsigned) { take_wish(late[i]); });
  return start(late);
}

Status StepInFlight::finish(MaskWorker& mask_worker) {
  if (failure_.ok() && elsewhere_) failure_ = elsewhere_->finish_draws(number_);
  is_under_way_ = is_under_way_ && !failure_.ok();
  for (size_t i = 0; i < plan_.rows.size(); ++i) results_[i].is_wanted = is_wanted(plan_.rows[i]);
  GOS_TRY_STATUS(failure_);
  choose_tokens(logits_);
  for (size_t i = 0; i < plan_.rows.size(); ++i)
    if (plan_.rows[i].samples && results_[i].is_wanted) live_.at(plan_.rows[i].id).chooser.prepare(mask_worker);
  return {};
}

void StepInFlight::choose_tokens(std::span<const float> logits) {
  struct Task {
    size_t index;                    // of the row
    std::span<const float> logits;   // empty: drawn_[index], or tops_[index]
    std::optional<uint32_t> scored;  // a position's number in the row; nothing: the next token is chosen
  };
  const auto take_logits = [&, vocab_size = loaded_.model->config().vocab_size] {
    const std::span<const float> first = logits.first(vocab_size);
    logits = logits.subspan(vocab_size);
    return first;
  };
  std::vector<Task> tasks;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    const PlannedRow& row = plan_.rows[i];
    RowResult& result = results_[i];
    for (uint32_t offset = 0; offset < host_logits_[i].scored; ++offset) tasks.push_back({i, take_logits(), offset});
    result.prompt_logprobs.resize(host_logits_[i].scored);
    const std::span<const float> last = host_logits_[i].last ? take_logits() : std::span<const float>();
    if (row.samples && result.token.ok()) tasks.push_back({i, last, std::nullopt});
  }
  std::erase_if(tasks, [&](const Task& task) { return !results_[task.index].is_wanted; });
  loaded_.threads->parallel_for(static_cast<uint32_t>(tasks.size()), [&](uint32_t i, unsigned) {
    const auto& [index, of_row, scored] = tasks[i];
    const PlannedRow& row = plan_.rows[index];
    RowResult& result = results_[index];
    LiveRequest& request = live_.at(row.id);
    if (scored) {
      const TokenId next = row.sequence->known[row.start + *scored + 1];
      result.prompt_logprobs[*scored] = logprobs_of(of_row, next, *request.request.top_logprobs);
      return;
    }
    const uint32_t position = row.start + row.length;
    static_cast<TokenChooser::Choice&>(result) = drawn_[index]
                                                     ? request.chooser.choose(*drawn_[index], tops_[index], position)
                                                     : request.chooser.choose(of_row, tops_[index], position);
  });
}

}  // namespace gossamer
