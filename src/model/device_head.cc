#include "model/device_head.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "kernels/unembed_columns.h"

namespace gossamer {

using namespace kernels::cuda;

namespace {

constexpr uint32_t kMostPassing = 64;  // computed together where logits come to the host: 51 MB of them

uint32_t mask_words(uint32_t vocab) {
  return (vocab + 31) / 32;
}

static_assert(sizeof(LogitChangeOp) == sizeof(kernels::LogitChange));  // both: token, bias, repetition, penalty

}  // namespace

struct DeviceHead::Asked {
  uint32_t token;  // its number in the batch
  const TokenMask* mask;
  TopWish wish;

  /// More candidates than a block sorts come to the host as logits, and are sorted there.
  bool is_chosen_here() const { return wish.k > kMostCandidates; }
  uint32_t device_k() const { return is_chosen_here() ? 0 : wish.k; }
};

Status OrderStage::reserve(uint64_t bytes) {
  if (host_.size_bytes() >= bytes) return {};
  rewind();
  GOS_TRY_STATUS(grow(device_, bytes));
  GOS_TRY(host_, PinnedMemory::allocate(bytes));
  return {};
}

Result<std::byte*> OrderStage::take(uint64_t bytes, const DeviceStream& stream) {
  if (used_bytes_ + bytes > host_.size_bytes()) {
    GOS_TRY_STATUS(stream.synchronize());
    rewind();
    GOS_TRY_STATUS(reserve(bytes));
  }
  taken_bytes_ = bytes;
  return host_.data() + used_bytes_;
}

std::byte* OrderStage::send(const DeviceStream& stream) {
  std::byte* there = device_.data() + used_bytes_;
  stream.copy_to_device(there, host_.data() + used_bytes_, taken_bytes_);
  used_bytes_ += (taken_bytes_ + 255) / 256 * 256;
  return there;
}

DeviceHead::Answers DeviceHead::cut_answers(std::byte* memory, uint32_t num_rows, uint32_t max_k) {
  Answers answers{};
  DeviceCutter cutter(memory);
  cutter.cut(answers.drawn, num_rows);
  cutter.cut(answers.log_sum_exp, num_rows);
  cutter.cut(answers.largest, num_rows);
  cutter.cut(answers.num_best, num_rows);
  cutter.cut(answers.best, uint64_t{num_rows} * max_k);
  answers.num_rows = num_rows;
  answers.max_k = max_k;
  answers.bytes = cutter.used();
  return answers;
}

Status DeviceHead::prepare(uint32_t max_rows, const DeviceStream& stream) {
  GOS_TRY_STATUS(take_memory(max_rows, stream));
  GOS_TRY_STATUS(stream.synchronize());
  for (Step& step : steps_) {
    step.forget();
    GOS_TRY_STATUS(reserve(step));
  }
  return {};
}

Status DeviceHead::take_memory(uint32_t max_rows, const DeviceStream& stream) {
  if (passing_.max_rows > 0 && max_rows <= staying_.max_rows) return {};
  GOS_TRY_STATUS(stream.synchronize());
  memory_ = DeviceMemory();  // first: both together may not fit
  staying_ = passing_ = {};
  Rows staying{}, passing{};
  staying.max_rows = max_rows;
  passing.max_rows = kMostPassing;
  const auto cut_all = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    for (Rows* rows : {&staying, &passing}) {
      cutter.cut(rows->normed, uint64_t{rows->max_rows} * padded_);
      cutter.cut(rows->logits, uint64_t{rows->max_rows} * vocab_);
      cutter.cut(rows->answers, cut_answers(nullptr, rows->max_rows, kMostCandidates).bytes);
    }
    cutter.cut(own_, vocab_);
    cutter.cut(slices_, uint64_t{max_rows} * draw_slices(vocab_));
    cutter.cut(cuts_, max_rows);
    cutter.cut(sums_, uint64_t{max_rows} * kDrawSums * draw_stretches(vocab_));
    return cutter.used();
  };
  GOS_TRY(memory_, DeviceMemory::allocate(cut_all(nullptr)));
  cut_all(memory_.data());
  staying_ = staying;
  passing_ = passing;
  if (host_answers_.size_bytes() == 0) {
    GOS_TRY(host_answers_, PinnedMemory::allocate(cut_answers(nullptr, kMostPassing, kMostCandidates).bytes));
  }
  return {};
}

Status DeviceHead::reserve(Step& step) const {
  const uint32_t rows = staying_.max_rows;
  const uint64_t of_answers = cut_answers(nullptr, rows, kMostCandidates).bytes;
  if (step.host_answers.size_bytes() < of_answers) {
    GOS_TRY(step.host_answers, PinnedMemory::allocate(of_answers));
  }
  // A mask for every row, and one for all; changes of every token once: more are sent in several pieces.
  const uint64_t of_row = sizeof(ChoiceRow) + sizeof(DrawRow) + sizeof(uint32_t);
  return step.orders.reserve(uint64_t{rows + kMostPassing} * of_row +
                             (uint64_t{rows} + 1) * mask_words(vocab_) * sizeof(uint32_t) +
                             uint64_t{vocab_} * sizeof(LogitChangeOp) + 4096);
}

Status DeviceHead::begin_step(const DeviceStream& stream) {
  if (last_step_ > 0) GOS_TRY_STATUS(send_answers(step_of(last_step_), stream));
  Step& step = step_of(++last_step_);
  if (step.is_sent) GOS_TRY_STATUS(step.arrived->synchronize());
  step.forget();
  step.number = last_step_;
  step.orders.rewind();
  return {};
}

std::span<const DrawnToken> DeviceHead::drawn_before() const {
  const Answers& before = step_of(last_step_ + 1).stayed;
  return {before.drawn, before.num_rows};
}

Status DeviceHead::send_answers(Step& step, const DeviceStream& stream) const {
  if (step.is_sent) return {};
  if (!step.arrived) {
    GOS_TRY(step.arrived, DeviceEvent::create());
  }
  if (step.stayed.num_rows > 0) stream.copy_to_host(step.host_answers.data(), staying_.answers, step.stayed.bytes);
  step.arrived->record(stream);
  step.is_sent = true;
  return {};
}

namespace {

/// What the first kernels are told about some rows: token numbers, rows, changes, then masks, each of these once.
struct Orders {
  std::vector<uint32_t> tokens;
  std::vector<ChoiceRow> rows;
  std::vector<kernels::LogitChange> changes;
  std::vector<const TokenMask*> masks;
  uint32_t max_k = 0;

  void add(uint32_t token, const TokenMask* mask, const TopWish& wish, uint32_t k) {
    ChoiceRow row{~0u, static_cast<uint32_t>(changes.size()), 0, k, wish.wants_log_sum_exp};
    if (mask) {
      const auto [found, is_new] = number_of_mask_.emplace(mask, static_cast<uint32_t>(masks.size()));
      if (is_new) masks.push_back(mask);
      row.mask = found->second;
    }
    if (k > 0) {
      row.num_changes = static_cast<uint32_t>(wish.changes.size());
      changes.insert(changes.end(), wish.changes.begin(), wish.changes.end());
    }
    max_k = std::max(max_k, k);
    tokens.push_back(token);
    rows.push_back(row);
  }

 private:
  std::unordered_map<const TokenMask*, uint32_t> number_of_mask_;
};

template <class T>
void write_all(T* to, const std::vector<T>& values) {
  std::copy(values.begin(), values.end(), to);
}
void write_mask(uint32_t* to, const TokenMask& mask) {
  std::copy(mask.words().begin(), mask.words().end(), to);
}

}  // namespace

Result<DeviceHead::Answers> DeviceHead::start(std::span<const Asked> asked, const Rows& rows,
                                              const DeviceStream& stream, const Project& project) {
  Orders orders;
  for (const Asked& each : asked) orders.add(each.token, each.mask, each.wish, each.device_k());
  uint32_t *tokens, *masks;
  ChoiceRow* choices;
  kernels::LogitChange* changes;
  const auto cut = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(tokens, orders.tokens.size());
    cutter.cut(choices, orders.rows.size());
    cutter.cut(changes, orders.changes.size());
    cutter.cut(masks, orders.masks.size() * mask_words(vocab_));
    return cutter.used();
  };
  OrderStage& stage = step_of(last_step_).orders;
  GOS_TRY(std::byte * here, stage.take(cut(nullptr), stream));
  cut(here);
  write_all(tokens, orders.tokens);
  write_all(choices, orders.rows);
  write_all(changes, orders.changes);
  for (size_t i = 0; i < orders.masks.size(); ++i) write_mask(masks + i * mask_words(vocab_), *orders.masks[i]);
  cut(stage.send(stream));

  const auto num_rows = static_cast<uint32_t>(asked.size());
  project(tokens, num_rows, rows.normed, rows.logits);
  const Answers answers = cut_answers(rows.answers, num_rows, orders.max_k);
  ChooseOp choose{};
  choose.logits = rows.logits;
  choose.num_rows = num_rows;
  choose.vocab = vocab_;
  choose.rows = choices;
  choose.masks = masks;
  choose.changes = reinterpret_cast<const LogitChangeOp*>(changes);
  choose.max_k = orders.max_k;
  choose.best = answers.best;
  choose.num_best = answers.num_best;
  choose.log_sum_exp = answers.log_sum_exp;
  choose.largest = answers.largest;
  kernels::cuda::choose(choose, stream.get());
  return answers;
}

Result<DeviceHead::Answers> DeviceHead::fetch(const Answers& answers, const DeviceStream& stream) {
  stream.copy_to_host(host_answers_.data(), passing_.answers, answers.bytes);
  GOS_TRY_STATUS(stream.synchronize());
  return cut_answers(host_answers_.data(), answers.num_rows, answers.max_k);
}

void DeviceHead::fill(const TopWish& wish, const Answers& here, uint32_t row) const {
  if (!wish.top) return;
  if (wish.wants_log_sum_exp) wish.top->log_sum_exp = here.log_sum_exp[row];
  wish.top->best.clear();
  if (wish.k == 0) return;
  for (uint32_t b = 0; b < here.num_best[row]; ++b) {
    const DeviceCandidate& candidate = here.best[uint64_t{row} * here.max_k + b];
    wish.top->best.push_back({candidate.token, candidate.logit});
  }
}

/// The best of logits that come to the host, as the CPU's backends choose them.
Status DeviceHead::choose_here(const TopWish& wish, const float* logits, const DeviceStream& stream) {
  row_here_.resize(vocab_);
  stream.copy_to_host(row_here_.data(), logits, vocab_ * sizeof(float));
  GOS_TRY_STATUS(stream.synchronize());
  kernels::UnembedRow row;
  row.changes = wish.changes;
  if (wish.wants_log_sum_exp) wish.top->log_sum_exp = kernels::log_sum_exp(row_here_);
  kernels::change_columns(row, 0, row_here_);
  kernels::TopCollector collector;
  collector.reset(wish.k);
  collector.add(0, row_here_);
  wish.top->best = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, wish.k);
  return {};
}

Result<std::span<const float>> DeviceHead::unembed(const Batch& batch, const DeviceStream& stream,
                                                   const Project& project) {
  std::vector<Asked> staying, passing;
  uint32_t first = 0, num_full = 0;
  for (const BatchRow& row : batch.rows) {
    for (size_t a = 0; a < row.logit_offsets.size(); ++a) {
      const Asked asked{first + row.logit_offsets[a], row.masks.empty() ? nullptr : row.masks[a],
                        row.tops.empty() ? TopWish() : row.tops[a]};
      (asked.wish.stays ? staying : passing).push_back(asked);
      num_full += !asked.wish.stays && asked.wish.k == 0;
    }
    first += row.length;
  }
  Step& step = step_of(last_step_);
  GOS_TRY_STATUS(take_memory(static_cast<uint32_t>(staying.size()), stream));
  GOS_TRY_STATUS(reserve(step));

  if (!staying.empty()) {
    GOS_TRY(step.stayed, start(staying, staying_, stream, project));
    step.drawn.assign(staying.size(), nullptr);
    for (uint32_t i = 0; i < staying.size(); ++i) {
      step.tops.push_back(staying[i].wish);
      if (!staying[i].is_chosen_here()) continue;
      GOS_TRY_STATUS(choose_here(staying[i].wish, staying_.logits + size_t{i} * vocab_, stream));
      step.tops.back().top = nullptr;  // filled
    }
  }
  logits_.resize(size_t{num_full} * vocab_);
  float* next_logits = logits_.data();
  for (size_t begin = 0; begin < passing.size(); begin += kMostPassing) {
    const auto some =
        std::span<const Asked>(passing).subspan(begin, std::min<size_t>(kMostPassing, passing.size() - begin));
    GOS_TRY(const Answers answers, start(some, passing_, stream, project));
    for (size_t i = 0; i < some.size(); ++i) {
      if (some[i].wish.k != 0) continue;
      stream.copy_to_host(next_logits, passing_.logits + i * vocab_, vocab_ * sizeof(float));
      next_logits += vocab_;
    }
    GOS_TRY(const Answers here, fetch(answers, stream));
    for (uint32_t i = 0; i < some.size(); ++i) {
      if (!some[i].is_chosen_here()) {
        fill(some[i].wish, here, i);
      } else {
        GOS_TRY_STATUS(choose_here(some[i].wish, passing_.logits + size_t{i} * vocab_, stream));
      }
    }
  }
  return std::span<const float>(logits_);
}

Status DeviceHead::draw(std::span<const DrawWish> wishes, const DeviceStream& stream) {
  Step& step = step_of(last_step_);
  size_t begin = 0;
  uint64_t num_changes = 0, bytes = 0;
  for (size_t i = 0; i < wishes.size(); ++i) {
    const DrawWish& wish = wishes[i];
    const size_t num_rows = step.drawn.size();
    if (wish.row >= num_rows || step.drawn[wish.row])
      return make_error(ErrorCode::kInvalidInput, "a token is to be drawn of row {}, but {} rows of logits stayed{}",
                        wish.row, num_rows, wish.row < num_rows ? ", and of that one it has been" : "");
    if ((!wish.changes.empty() && wish.changes.back().token >= vocab_) ||
        (wish.mask && wish.mask->vocab_size() != vocab_))
      return make_error(ErrorCode::kInvalidInput, "row {} has a mask or changes that are not for {} tokens", wish.row,
                        vocab_);
    step.drawn[wish.row] = wish.drawn;
    const uint64_t of_mask = wish.mask ? mask_words(vocab_) * sizeof(uint32_t) : 0;
    const uint64_t of_wish = sizeof(DrawRow) + wish.changes.size_bytes() + of_mask;
    constexpr uint64_t kBetweenPieces = 4096;
    if (num_changes + wish.changes.size() > vocab_ || bytes + of_wish + kBetweenPieces > step.orders.size_bytes()) {
      GOS_TRY_STATUS(draw_some(wishes.subspan(begin, i - begin), stream));
      begin = i;
      num_changes = bytes = 0;
    }
    num_changes += wish.changes.size();
    bytes += of_wish;
  }
  GOS_TRY_STATUS(draw_some(wishes.subspan(begin), stream));
  return stream.check_started();
}

/// As many as there is room for, together.
Status DeviceHead::draw_some(std::span<const DrawWish> wishes, const DeviceStream& stream) {
  if (wishes.empty()) return {};
  Step& step = step_of(last_step_);
  DrawRow* rows;
  kernels::LogitChange* changes;
  uint32_t* masks;
  uint32_t num_changes = 0, num_masks = 0;
  for (const DrawWish& wish : wishes) {
    num_changes += static_cast<uint32_t>(wish.changes.size());
    num_masks += wish.mask != nullptr;
  }
  const auto cut = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(rows, wishes.size());
    cutter.cut(changes, num_changes);
    cutter.cut(masks, uint64_t{num_masks} * mask_words(vocab_));
    return cutter.used();
  };
  GOS_TRY(std::byte * here, step.orders.take(cut(nullptr), stream));
  cut(here);
  DrawOp op{};
  num_changes = num_masks = 0;
  for (size_t i = 0; i < wishes.size(); ++i) {
    const DrawWish& wish = wishes[i];
    rows[i] = {wish.row, ~0u, num_changes, static_cast<uint32_t>(wish.changes.size()), wish.rule};
    std::copy(wish.changes.begin(), wish.changes.end(), changes + num_changes);
    num_changes += rows[i].num_changes;
    if (wish.mask) {
      write_mask(masks + uint64_t{num_masks} * mask_words(vocab_), *wish.mask);
      rows[i].mask = num_masks++;
    }
    op.any_top_k |= !wish.rule.is_greedy() && wish.rule.top_k > 0;
    op.any_unranked |= !wish.rule.is_greedy() && !wish.rule.is_ranked();
  }
  cut(step.orders.send(stream));
  op.logits = staying_.logits;
  op.largest = step.stayed.largest;
  op.rows = rows;
  op.num_rows = static_cast<uint32_t>(wishes.size());
  op.vocab = vocab_;
  op.masks = masks;
  op.changes = reinterpret_cast<const LogitChangeOp*>(changes);
  op.own = own_;
  op.slices = slices_;
  op.cuts = cuts_;
  op.sums = sums_;
  op.drawn = step.stayed.drawn;
  kernels::cuda::draw(op, stream.get());
  return {};
}

Status DeviceHead::finish_draws(uint64_t number, const DeviceStream& stream) {
  Step& step = step_of(number);
  if (step.number != number)
    return make_error(ErrorCode::kInvalidInput, "step {} is over: the last one was {}", number, last_step_);
  GOS_TRY_STATUS(send_answers(step, stream));
  GOS_TRY_STATUS(step.arrived->synchronize());
  const Answers here = cut_answers(step.host_answers.data(), step.stayed.num_rows, step.stayed.max_k);
  for (uint32_t row = 0; row < step.tops.size(); ++row) {
    fill(step.tops[row], here, row);
    if (!step.drawn[row]) continue;
    const DrawnToken& drawn = here.drawn[row];
    if (drawn.token >= vocab_ && drawn.token != kNoToken)
      return make_error(ErrorCode::kIo, "the GPU drew token {} of {}, which is none; see gossamer gpu selftest",
                        drawn.token, vocab_);
    *step.drawn[row] = {drawn.token, drawn.logit, drawn.masked_mass};
  }
  step.tops.clear();
  step.drawn.clear();
  return {};
}

}  // namespace gossamer
