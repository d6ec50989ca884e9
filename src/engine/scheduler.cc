#include "engine/scheduler.h"

#include <algorithm>

namespace gossamer {
namespace {

bool stands_before(const Sequence* a, const Sequence* b) {
  return a->place() != b->place() ? a->place() < b->place() : a->id < b->id;
}

uint32_t common_prefix_tokens(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  return static_cast<uint32_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

uint32_t max_sequence_tokens(const KvShape& shape, uint32_t pages, const SchedulerLimits& limits) {
  const uint32_t unsettled = limits.max_steps_in_flight * std::max(limits.max_step_tokens, limits.min_prefill_tokens);
  return std::min(limits.max_sequence_tokens, shape.longest_sequence(pages, unsettled));
}

Scheduler::Scheduler(KvManager& kv, const SchedulerLimits& limits) : kv_(kv), limits_(limits) {
  limits_.max_sequence_tokens = max_sequence_tokens(kv.shape(), kv.pool().num_pages(), limits);
}

Status Scheduler::submit(std::unique_ptr<Sequence> sequence) {
  if (sequence->known.empty()) return make_error(ErrorCode::kInvalidInput, "the prompt has no tokens");
  if (sequence->max_tokens <= sequence->known.size())
    return make_error(ErrorCode::kInvalidInput, "the prompt has {} tokens and the answer none: there is nothing to do",
                      sequence->known.size());
  if (sequence->max_tokens > limits_.max_sequence_tokens)
    return make_error(ErrorCode::kInvalidInput,
                      "the prompt has {} tokens and asks for up to {} more, but {} together is the most; shorten it or "
                      "ask for less",
                      sequence->prompt_tokens, sequence->max_tokens - sequence->prompt_tokens,
                      limits_.max_sequence_tokens);
  uint64_t waiting_tokens = sequence->known.size();
  for (const Sequence* other : waiting_) waiting_tokens += other->known.size();
  if (waiting_.size() >= limits_.max_waiting_requests ||
      (!waiting_.empty() && waiting_tokens > limits_.max_waiting_tokens))
    return make_error(ErrorCode::kBusy, "not now: {} requests with {} tokens are waiting already", waiting_.size(),
                      waiting_tokens - sequence->known.size());
  fairness_.enter(sequence->tenant);
  waiting_.push_back(sequence.get());
  sequences_[sequence->id] = std::move(sequence);
  return {};
}

Sequence* Scheduler::find(SequenceId id) {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? nullptr : found->second.get();
}

std::unique_ptr<Sequence> Scheduler::end(SequenceId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return nullptr;
  std::unique_ptr<Sequence> sequence = std::move(found->second);
  sequences_.erase(found);
  std::erase(sequence->running ? running_ : waiting_, sequence.get());
  if (sequence->running) kv_.release(sequence->pages, sequence->settled, newest_step());
  sequence->running = false;
  fairness_.leave(sequence->tenant);
  return sequence;
}

std::vector<SequenceId> Scheduler::expired(Microseconds now_us) const {
  std::vector<SequenceId> ids;
  for (const auto& [id, sequence] : sequences_)
    if (sequence->deadline_us <= now_us) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

uint64_t Scheduler::tokens_ahead() const {
  uint64_t tokens = 0;
  for (const auto& [id, sequence] : sequences_)
    if (!sequence->running || sequence->is_prefilling()) tokens += sequence->unscheduled();
  return tokens;
}

/// What is left to give in the plan in the making.
struct Scheduler::Budget {
  uint32_t prefill_tokens;  // beside one token for every running answer
  uint32_t rows;
  uint32_t partial_prefills;  // prompts that will not be complete after this step
  bool long_prefill = false;  // one of them has much left
};

StepPlan Scheduler::plan_step(Microseconds now_us, uint32_t budget_tokens) {
  StepPlan plan{last_step_ + 1, {}};
  budget_tokens = std::min(budget_tokens, limits_.max_step_tokens);
  uint32_t answering = 0;
  for (const Sequence* sequence : running_) answering += !sequence->is_prefilling();
  const uint32_t beside = budget_tokens > answering ? budget_tokens - answering : 0;
  const uint32_t room = limits_.max_step_tokens > answering ? limits_.max_step_tokens - answering : 0;
  const uint32_t least = budget_tokens == 0 && answering > 0 ? 0 : limits_.min_prefill_tokens;
  Budget budget{std::min(std::max(beside, least), room), limits_.max_rows, limits_.max_partial_prefills};

  blocked_ = false;
  // In the order of the line: whoever is preempted for a page stands behind, and is not in the plan yet.
  for (size_t i = 0; i < running_.size(); ++i)
    if (!plan_row(i, plan, budget)) blocked_ = true;
  if (!blocked_) admit_waiting(now_us, plan, budget);
  use_leftover(plan, budget);
  if (plan.rows.empty() && least == 0) return plan_step(now_us, 1);  // the answers wait for pages: prompts go on
  if (!plan.rows.empty()) last_step_ = plan.step;
  return plan;
}

/// Adds the row of running_[index], if it has anything to compute; false where it must wait for a page.
bool Scheduler::plan_row(size_t index, StepPlan& plan, Budget& budget) {
  Sequence& sequence = *running_[index];
  uint32_t length = sequence.unscheduled();
  // its answer ends with the token that is being sampled, or it waits for that token's step
  if (length == 0 || sequence.known.size() + sequence.pending >= sequence.max_tokens) return true;
  if (sequence.is_prefilling()) {
    // Somebody else's prompt gets a quarter of what the first one could use.
    const bool alone = waiting_.empty() && index + 1 == running_.size();
    length = std::min(length, alone ? budget.prefill_tokens : budget.prefill_tokens - budget.prefill_tokens / 4);
    length = std::min(length, sequence.max_row_tokens);
    if (length == 0) return true;
  }
  const uint32_t end = sequence.scheduled + length;
  const uint32_t pages = kv_.pages_needed(sequence.pages, end, end);
  if (!make_room(index, pages)) return false;
  if (sequence.is_prefilling()) {
    budget.prefill_tokens -= length;
    const uint32_t left = sequence.unscheduled() - length;
    budget.partial_prefills -= left > 0 && budget.partial_prefills > 0;
    budget.long_prefill |= left > limits_.long_prefill_tokens;
  }
  --budget.rows;
  add_row(sequence, length, plan);
  return true;
}

/// Frees pages for running_[index] by preempting from the end of the line. False: they come later, or never (R4, R3).
bool Scheduler::make_room(size_t index, uint32_t pages) {
  while (kv_.pool().num_available() < pages) {
    if (kv_.pool().num_available() + kv_.pool().num_coming() >= pages) return false;
    if (index + 1 >= running_.size()) return false;
    // Whose last token is being drawn gives all of its pages back when that step has ended.
    const auto ends = [](const Sequence* s) { return s->pending > 0 && s->known.size() + s->pending >= s->max_tokens; };
    if (std::any_of(running_.begin() + static_cast<ptrdiff_t>(index) + 1, running_.end(), ends)) return false;
    preempt(*running_.back());
  }
  return true;
}

/// Back into the line; what it computed stays in the prefix cache as long as nobody needs the pages.
void Scheduler::preempt(Sequence& sequence) {
  kv_.release(sequence.pages, sequence.settled, newest_step());
  std::erase(running_, &sequence);
  waiting_.push_back(&sequence);
  sequence.running = false;
  sequence.settled = sequence.scheduled = sequence.pending = 0;
  ++sequence.epoch;
  ++num_preemptions_;
}

/// Takes the pages and notes the row.
void Scheduler::add_row(Sequence& sequence, uint32_t length, StepPlan& plan) {
  const uint32_t start = sequence.scheduled, end = start + length;
  kv_.extend(sequence.pages, end, end);
  sequence.scheduled = end;
  const bool samples = end == sequence.known.size() + sequence.pending;
  sequence.pending += samples;
  plan.rows.push_back({sequence.id, sequence.epoch, &sequence, start, length, samples});
}

void Scheduler::admit_waiting(Microseconds now_us, StepPlan& plan, Budget& budget) {
  constexpr uint32_t kMostPassedOver = 16;  // a plan may not take longer than a step, however long the line
  if (waiting_.empty() || budget.prefill_tokens == 0 || running_.size() >= limits_.max_rows) return;
  uint32_t passed_over = 0;
  for (Sequence* sequence : waiting_in_order(now_us)) {
    if (blocked_ || budget.prefill_tokens == 0 || running_.size() >= limits_.max_rows) return;
    if (!admit(*sequence, plan, budget) && ++passed_over == kMostPassedOver) return;
  }
}

/// Preempted ones first, then whoever has lost patience, then by class, by what the tenant was served, and by place in
/// the line.
std::vector<Sequence*> Scheduler::waiting_in_order(Microseconds now_us) const {
  struct Entry {
    uint8_t turn;  // preempted, late, interactive, batch
    uint64_t served;
    Sequence* sequence;
  };
  std::vector<Entry> entries;
  entries.reserve(waiting_.size());
  for (Sequence* sequence : waiting_) {
    const bool again = sequence->epoch > 0, late = now_us - sequence->place() > limits_.fairness_patience_us;
    const auto by_class = static_cast<uint8_t>(2 + static_cast<uint8_t>(sequence->priority));
    entries.push_back({again  ? uint8_t{0}
                       : late ? uint8_t{1}
                              : by_class,
                       again || late ? 0 : fairness_.served(sequence->tenant), sequence});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    if (a.turn != b.turn) return a.turn < b.turn;
    return a.served != b.served ? a.served < b.served : stands_before(a.sequence, b.sequence);
  });
  std::vector<Sequence*> order;
  for (const Entry& entry : entries) order.push_back(entry.sequence);
  return order;
}

/// A running prompt will leave a checkpoint that this one can begin behind: cheaper to wait for than to compute twice.
bool Scheduler::waits_for_producer(const Sequence& sequence, const PrefixHit& hit) const {
  if (!sequence.pages.shares_prefix || sequence.computes_whole_prompt) return false;
  for (const Sequence* other : running_) {
    if (other->pages.salt != sequence.pages.salt || !other->pages.shares_prefix) continue;
    const SequencePages& pages = other->pages;
    for (size_t i = pages.next_checkpoint; i < pages.checkpoints.size(); ++i) {
      const uint32_t checkpoint = pages.checkpoints[i];
      if (checkpoint <= hit.tokens || checkpoint >= sequence.known.size()) continue;
      if (common_prefix_tokens(other->known, sequence.known) >= checkpoint) return true;
      break;
    }
  }
  return false;
}

/// Pages until everything known (or the whole answer, where that is reserved) is computed.
uint32_t Scheduler::pages_still_needed(const Sequence& sequence) const {
  const uint32_t tokens = limits_.reserves_answer ? sequence.max_tokens : static_cast<uint32_t>(sequence.known.size());
  const auto left =
      static_cast<uint32_t>(sequence.known.size()) - std::min<uint32_t>(sequence.settled, sequence.known.size());
  const uint32_t unsettled = std::clamp(left, 1u, limits_.max_steps_in_flight * limits_.max_step_tokens);
  const uint32_t total = kv_.shape().pages_of_sequence(tokens, unsettled);
  uint32_t held = static_cast<uint32_t>(sequence.pages.full.size());
  for (size_t i = sequence.pages.sliding_begin; i < sequence.pages.sliding.size(); ++i)
    held += sequence.pages.sliding[i] != kNoPage;
  return total > held ? total - held : 0;
}

/// Starts a waiting sequence, if the pages for all that is known of it are there beside those that running ones still
/// need; false where it is passed over for now.
bool Scheduler::admit(Sequence& sequence, StepPlan& plan, Budget& budget) {
  PrefixHit hit;
  if (sequence.pages.shares_prefix && !sequence.computes_whole_prompt)
    hit = kv_.lookup(sequence.known, sequence.pages.salt);
  if (waits_for_producer(sequence, hit)) return false;
  const auto left = static_cast<uint32_t>(sequence.known.size()) - hit.tokens;
  const bool is_long = left > limits_.long_prefill_tokens;
  if (is_long && budget.long_prefill) return false;
  const uint32_t length = std::min({left, budget.prefill_tokens, sequence.max_row_tokens});
  if (length < left && budget.partial_prefills == 0) return false;

  // Both groups' pages of the hit are held from here on, so that none of them is evicted for the others.
  kv_.begin(sequence.pages, hit, static_cast<uint32_t>(sequence.known.size()), sequence.checkpoints);
  uint64_t promised = 0;
  for (const Sequence* other : running_) promised += pages_still_needed(*other);
  const uint32_t watermark = running_.empty() ? 0 : kv_.pool().num_pages() / 100;
  if (!running_.empty() && pages_still_needed(sequence) + promised + watermark > kv_.pool().num_available()) {
    kv_.release(sequence.pages, 0, newest_step());
    blocked_ = true;  // nobody behind it may take what it needs
    return false;
  }
  // Alone it always fits once steps in flight have given back what they hold (R1).
  if (kv_.pages_needed(sequence.pages, hit.tokens + length, hit.tokens + length) > kv_.pool().num_available()) {
    kv_.release(sequence.pages, 0, newest_step());
    blocked_ = true;
    return false;
  }

  std::erase(waiting_, &sequence);
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &sequence, stands_before), &sequence);
  sequence.running = true;
  sequence.settled = sequence.scheduled = hit.tokens;
  if (sequence.epoch == 0) sequence.cached_tokens = hit.tokens;
  budget.prefill_tokens -= length;
  budget.partial_prefills -= length < left;
  budget.long_prefill |= is_long;
  --budget.rows;
  add_row(sequence, length, plan);
  return true;
}

/// Prompt tokens that nobody else wanted go to the first row that can use them.
void Scheduler::use_leftover(StepPlan& plan, Budget& budget) {
  for (PlannedRow& row : plan.rows) {
    Sequence& sequence = *row.sequence;
    const uint32_t room = sequence.max_row_tokens - std::min(sequence.max_row_tokens, row.length);
    const uint32_t more = std::min({budget.prefill_tokens, sequence.unscheduled(), room});
    if (row.samples || more == 0) continue;
    const uint32_t end = sequence.scheduled + more;
    if (kv_.pages_needed(sequence.pages, end, end) > kv_.pool().num_available()) continue;
    kv_.extend(sequence.pages, end, end);
    sequence.scheduled = end;
    row.length += more;
    row.samples = end == sequence.known.size() + sequence.pending;
    sequence.pending += row.samples;
    budget.prefill_tokens -= more;
  }
}

void Scheduler::settle_step(const StepPlan& plan, std::span<const TokenId> sampled) {
  kv_.retire(plan.step);
  size_t next = 0;
  for (const PlannedRow& row : plan.rows) {
    const size_t at = next;
    next += row.samples;
    const auto found = sequences_.find(row.id);
    if (found == sequences_.end() || found->second->epoch != row.epoch) continue;
    Sequence& sequence = *found->second;
    sequence.settled = row.start + row.length;
    kv_.settle(sequence.pages, sequence.known, sequence.settled, newest_step());
    if (row.samples) {
      sequence.known.push_back(sampled[at]);
      --sequence.pending;
    }
    charge(sequence);
  }
}

/// What was settled for the first time: prompts at one, answers at two a token.
void Scheduler::charge(Sequence& sequence) {
  if (sequence.settled <= sequence.charged) return;
  const uint64_t from = std::max(sequence.charged, sequence.cached_tokens),
                 to = std::max<uint64_t>(sequence.settled, from);
  const uint64_t prompt =
      std::min<uint64_t>(to, sequence.prompt_tokens) - std::min<uint64_t>(from, sequence.prompt_tokens);
  fairness_.charge(sequence.tenant, prompt + 2 * (to - from - prompt));
  sequence.charged = sequence.settled;
}

std::string Scheduler::check_integrity() const {
  std::vector<const SequencePages*> live;
  for (const auto& [id, sequence] : sequences_) {
    live.push_back(&sequence->pages);
    const Sequence& s = *sequence;
    if (s.settled > s.scheduled || s.scheduled > s.known.size() + s.pending ||
        s.known.size() + s.pending > s.max_tokens)
      return fmt::format("sequence {}: settled {} <= scheduled {} <= known {} + pending {} <= {} does not hold", id,
                         s.settled, s.scheduled, s.known.size(), s.pending, s.max_tokens);
    if (!s.running && (s.scheduled || !s.pages.full.empty()))
      return fmt::format("sequence {} waits, but holds pages", id);
  }
  if (running_.size() + waiting_.size() != sequences_.size()) return "a sequence is neither running nor waiting";
  if (!std::is_sorted(running_.begin(), running_.end(), stands_before)) return "the running are not in line";
  return kv_.check_integrity(live);
}

}  // namespace gossamer
