#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/step_plan.h"
#include "engine/tenant_fairness.h"

namespace gossamer {

struct SchedulerLimits {
  uint32_t max_sequence_tokens = 131072;  ///< prompt and answer; see max_sequence_tokens() for what a pool allows
  uint32_t max_step_tokens = 512;         ///< T: what a step's memory was made for
  uint32_t max_rows = 64;                 ///< sequences that run at once
  uint32_t max_steps_in_flight = 1;       ///< D
  uint32_t max_partial_prefills = 2;
  uint32_t long_prefill_tokens = 4096;  ///< of prompts with more left, one is computed at a time
  uint32_t min_prefill_tokens = 1;      ///< a step's least, whatever its budget: nothing starves
  uint32_t max_waiting_requests = 1024;
  uint64_t max_waiting_tokens = 4u << 20;
  Microseconds fairness_patience_us = 30'000'000;  ///< who has waited longer comes before the tenant served least
  bool reserves_answer = false;                    ///< admit only what fits to its last token: no preemption, ever
};

/// The longest sequence that is always served, alone if need be, by `pages` pages (rule R1); 0: not even one page.
uint32_t max_sequence_tokens(const KvShape& shape, uint32_t pages, const SchedulerLimits& limits);

/// Decides what is computed next. There are no phases of prefill and decode: computed catches up with known, under a
/// budget of tokens. Knows no clock and does no I/O: the same calls give the same plans. Used by one thread.
///
/// That it never runs out of memory and never stops (engine/README.md has the argument):
///   R1 the pool holds the longest sequence allowed, R2 longer ones are refused at submit,
///   R3 the first in line is never preempted: victims are the last, strictly behind who needs the page,
///   R4 pages that come free with a running step are waited for, not taken from others,
///   R5 while somebody waits for a page nobody new is admitted.
class Scheduler {
 public:
  /// `kv` outlives the scheduler. limits.max_sequence_tokens is lowered to what the pool allows.
  Scheduler(KvManager& kv, const SchedulerLimits& limits);

  const SchedulerLimits& limits() const { return limits_; }

  /// Puts a request in line. Errors, the sequence is gone then: no tokens, too many tokens (kInvalidInput), the line is
  /// full (kBusy).
  Status submit(std::unique_ptr<Sequence> sequence);

  /// What is computed next, with at most about `budget_tokens` tokens: one of every running answer first, then prompts
  /// (at least limits.min_prefill_tokens of them; none with a budget of 0, as long as an answer is running).
  /// Empty where there is nothing to do or everything waits for a step in flight.
  StepPlan plan_step(Microseconds now_us, uint32_t budget_tokens);

  /// The step has been computed; `sampled`: one token for each row that samples, in order. Steps end in the order of
  /// their launch. Rows whose sequence was preempted or ended meanwhile count for nothing.
  void settle_step(const StepPlan& plan, std::span<const TokenId> sampled);

  /// Takes a sequence out, wherever it is: its answer is complete, or nobody wants it any more. Null where it is not
  /// here.
  std::unique_ptr<Sequence> end(SequenceId id);

  /// Sequences whose deadline has passed; the caller ends them.
  std::vector<SequenceId> expired(Microseconds now_us) const;

  Sequence* find(SequenceId id);
  const std::vector<Sequence*>& running() const { return running_; }
  size_t num_waiting() const { return waiting_.size(); }
  bool is_idle() const { return sequences_.empty(); }
  /// Prompt tokens that would be computed before a request that came now.
  uint64_t tokens_ahead() const;
  uint64_t num_preemptions() const { return num_preemptions_; }
  StepId newest_step() const { return last_step_; }  ///< that was planned

  /// Empty, or the first invariant that does not hold. For tests and debug builds.
  std::string check_integrity() const;

 private:
  struct Budget;
  bool plan_row(size_t index, StepPlan& plan, Budget& budget);
  bool make_room(size_t index, uint32_t pages);
  void preempt(Sequence& sequence);
  void admit_waiting(Microseconds now_us, StepPlan& plan, Budget& budget);
  bool admit(Sequence& sequence, StepPlan& plan, Budget& budget);
  std::vector<Sequence*> waiting_in_order(Microseconds now_us) const;
  bool waits_for_producer(const Sequence& sequence, const PrefixHit& hit) const;
  uint32_t pages_still_needed(const Sequence& sequence) const;
  void add_row(Sequence& sequence, uint32_t length, StepPlan& plan);
  void use_leftover(StepPlan& plan, Budget& budget);
  void charge(Sequence& sequence);

  KvManager& kv_;
  SchedulerLimits limits_;
  std::unordered_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> running_;  // by place in line
  std::vector<Sequence*> waiting_;  // in no order
  TenantFairness fairness_;
  StepId last_step_ = 0;
  bool blocked_ = false;  // somebody waits for a page (in the plan in the making)
  uint64_t num_preemptions_ = 0;
};

}  // namespace gossamer
