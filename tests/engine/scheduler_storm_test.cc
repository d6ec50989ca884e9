/// A storm of requests, cancels, endings and preemptions over many seeds: after every step everything must add up,
/// every read must find what it looks for, every answer must be the one that its request alone would get, and
/// everything must end. GOSSAMER_STORM_SEEDS=100000 makes it last.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "engine/scheduler.h"
#include "support/paper_model.h"

namespace gossamer {
namespace {

using testing::PaperModel;

/// One world from a seed: a small pool, odd limits, requests that often share beginnings.
class Storm {
 public:
  explicit Storm(uint64_t seed)
      : random_(seed),
        shape_(make_shape()),
        limits_(make_limits()),
        num_pages_(make_num_pages()),
        kv_(shape_, num_pages_, pick({0u, 32u, 64u, 256u})),
        scheduler_(kv_, limits_),
        model_(shape_, num_pages_) {}

  void run(uint32_t num_requests) {
    uint32_t idle_steps = 0;
    while (!HasFailure() && (submitted_ < num_requests || !scheduler_.is_idle())) {
      now_us_ += 1000;
      if (submitted_ < num_requests && chance(0.3)) submit();
      if (chance(0.03)) cancel_somebody();
      if (chance(0.002)) kv_.forget_prefixes();
      const bool moved = step();
      idle_steps = moved || submitted_ < num_requests ? 0 : idle_steps + 1;
      ASSERT_LT(idle_steps, 3u) << "nothing moves, and " << scheduler_.running().size() << " run and "
                                << scheduler_.num_waiting() << " wait";
      ASSERT_EQ(scheduler_.check_integrity(), "");
    }
    while (model_.num_in_flight()) settle();
    EXPECT_EQ(scheduler_.check_integrity(), "");
    EXPECT_EQ(kv_.pool().num_held(), 0u);
    EXPECT_EQ(ended_, submitted_ - refused_);
  }

  uint64_t preemptions() const { return scheduler_.num_preemptions(); }
  uint64_t hit_tokens() const { return hit_tokens_; }

 private:
  static bool HasFailure() { return ::testing::Test::HasFailure(); }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  uint32_t between(uint32_t low, uint32_t high) { return std::uniform_int_distribution<uint32_t>(low, high)(random_); }
  uint32_t pick(std::initializer_list<uint32_t> values) {
    return values.begin()[between(0, static_cast<uint32_t>(values.size()) - 1)];
  }

  KvShape make_shape() {
    KvShape shape;
    shape.full_layers = shape.sliding_layers = 1;
    shape.window_tokens = pick({33, 64, 100, 128, 128});
    shape.token_bytes_of_a_layer = 1;
    return shape;
  }
  SchedulerLimits make_limits() {
    SchedulerLimits limits;
    limits.max_step_tokens = pick({40, 64, 100, 300});
    limits.max_rows = pick({1, 3, 8, 20});
    limits.max_steps_in_flight = pick({1, 2});
    limits.long_prefill_tokens = pick({100, 300});
    limits.min_prefill_tokens = pick({1, 16, 32});
    limits.max_waiting_requests = 30;
    limits.reserves_answer = chance(0.15);
    limits.max_sequence_tokens = pick({200, 500, 900});
    return limits;
  }
  /// Just enough for the longest sequence (R1), or a little more.
  uint32_t make_num_pages() {
    const uint32_t least = pages_of(limits_.max_sequence_tokens) +
                           shape_.max_sliding_pages(limits_.max_steps_in_flight * limits_.max_step_tokens);
    if (chance(0.2)) return between(least / 3, least);  // the scheduler allows shorter sequences only
    return least + (chance(0.4) ? 0 : between(0, 3 * least));
  }

  void submit() {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = ++submitted_;
    sequence->tenant = between(0, 2);
    sequence->pages.salt = chance(0.8) ? 0 : sequence->tenant;
    sequence->pages.shares_prefix = chance(0.95);
    sequence->computes_whole_prompt = chance(0.05);
    sequence->priority = chance(0.7) ? Priority::kInteractive : Priority::kBatch;
    sequence->arrival_us = now_us_;
    sequence->deadline_us = chance(0.05) ? now_us_ + between(0, 40000) : kNever;
    if (!texts_.empty() && chance(0.75)) {  // as the next turn of a conversation, or the same beginning
      const auto& text = texts_[between(0, static_cast<uint32_t>(texts_.size()) - 1)];
      sequence->known.assign(text.begin(), text.begin() + between(0, static_cast<uint32_t>(text.size())));
    }
    const uint32_t longest = limits_.max_sequence_tokens + 5;
    for (uint32_t more = chance(0.3) ? between(1, longest) : between(1, 80); more > 0; --more)
      sequence->known.push_back(between(0, 3));
    sequence->prompt_tokens = static_cast<uint32_t>(sequence->known.size());
    sequence->max_tokens = sequence->prompt_tokens + between(1, chance(0.3) ? longest / 2 : 60);
    if (chance(0.3)) sequence->checkpoints = {between(0, sequence->prompt_tokens), between(0, sequence->prompt_tokens)};
    if (!scheduler_.submit(std::move(sequence)).ok()) ++refused_;
  }

  void cancel_somebody() {
    if (submitted_ == 0) return;
    if (auto sequence = scheduler_.end(between(1, submitted_))) end(*sequence);
  }

  /// An answer, whole or not: every token of it must be what the model says after the tokens before.
  void end(const Sequence& sequence) {
    ++ended_;
    hit_tokens_ += sequence.cached_tokens;
    uint64_t hash = PaperModel::kEmptyPrefix;
    for (uint32_t i = 0; i < sequence.known.size(); ++i) {
      if (i >= sequence.prompt_tokens) {
        ASSERT_EQ(sequence.known[i], PaperModel::next_token(hash)) << "sequence " << sequence.id << ", token " << i;
      }
      hash = PaperModel::extend(hash, sequence.known[i]);
    }
    texts_.push_back(sequence.known);
    if (texts_.size() > 20) texts_.erase(texts_.begin());
  }

  bool step() {
    for (SequenceId id : scheduler_.expired(now_us_)) end(*scheduler_.end(id));
    bool moved = false;
    if (model_.num_in_flight() < limits_.max_steps_in_flight) {
      StepPlan plan = scheduler_.plan_step(now_us_, pick({0, 1, 20, limits_.max_step_tokens}));
      EXPECT_LE(plan.num_tokens(), limits_.max_step_tokens);
      moved = !plan.rows.empty();
      if (moved) model_.launch(std::move(plan));
    }
    if (model_.num_in_flight() == limits_.max_steps_in_flight || (model_.num_in_flight() && !moved)) {
      settle();
      moved = true;
    }
    return moved;
  }

  void settle() {
    const StepPlan plan = model_.oldest();
    std::string problem;
    const auto sampled = model_.finish(problem);
    ASSERT_EQ(problem, "");
    scheduler_.settle_step(plan, sampled);
    for (const PlannedRow& row : plan.rows) {
      const Sequence* sequence = scheduler_.find(row.id);
      if (!sequence || sequence->epoch != row.epoch || !row.samples) continue;
      if (sequence->known.size() == sequence->max_tokens || chance(0.01)) end(*scheduler_.end(row.id));
    }
  }

  std::mt19937_64 random_;
  KvShape shape_;
  SchedulerLimits limits_;
  uint32_t num_pages_;
  KvManager kv_;
  Scheduler scheduler_;
  PaperModel model_;
  Microseconds now_us_ = 0;
  uint32_t submitted_ = 0, refused_ = 0, ended_ = 0;
  uint64_t hit_tokens_ = 0;
  std::vector<std::vector<TokenId>> texts_;
};

TEST(SchedulerStorm, EverythingAddsUpAndEnds) {
  const char* wanted = std::getenv("GOSSAMER_STORM_SEEDS");
  const uint64_t seeds = wanted ? std::strtoull(wanted, nullptr, 10) : 400;
  uint64_t preemptions = 0, hit_tokens = 0;
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    storm.run(60);
    preemptions += storm.preemptions();
    hit_tokens += storm.hit_tokens();
  }
  RecordProperty("preemptions", std::to_string(preemptions));
  RecordProperty("hit_tokens", std::to_string(hit_tokens));
  EXPECT_GT(preemptions, seeds) << "the storm is too gentle";
  EXPECT_GT(hit_tokens, seeds * 100) << "prefixes are not shared";
}

}  // namespace
}  // namespace gossamer
