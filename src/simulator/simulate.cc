#include "simulator/simulate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <queue>

#include "base/check.h"
#include "engine/step_budget.h"
#include "simulator/histogram.h"

namespace gossamer::simulator {
namespace {

/// gpt-oss in pages: the numbers of layers do not matter to who counts pages, the window does.
constexpr KvShape kShape{.full_layers = 12, .sliding_layers = 12, .window_tokens = 128, .token_bytes_of_a_layer = 2048};

constexpr size_t kMostSeconds = 1'000'000;  // of the chart; what comes later is added to the last one

double seconds_of(Microseconds us) {
  return static_cast<double>(us) / 1e6;
}

TokenId token_of(uint64_t name, uint32_t offset) {
  const uint64_t hash = (name * 0x9e3779b97f4a7c15ull) ^ (offset * 0xff51afd7ed558ccdull);
  return static_cast<TokenId>(hash >> 32);
}

/// Token `position` of a request's prompt and answer: made of the names of its blocks, and where those end, of its
/// number.
TokenId text_at(const TraceRequest& request, uint64_t number, uint32_t position) {
  const uint32_t block = position / kTraceBlockTokens;
  return block < request.blocks.size() ? token_of(request.blocks[block], position % kTraceBlockTokens)
                                       : token_of(~number, position);
}

/// What is remembered of a request on its way.
struct Journey {
  const TraceRequest* request = nullptr;
  Microseconds arrival_us = 0, first_token_us = 0, last_token_us = 0;
  uint32_t tokens = 0;
  uint32_t prompt_done = 0;  // computed, or taken from the cache
};

/// One engine: the real scheduler and cache, and a step that may be under way.
struct Replica {
  Replica(const SimulationOptions& options)
      : kv(kShape, options.machine.num_pages),
        scheduler(kv, options.limits),
        costs(options.machine.experts, options.machine.active) {}
  KvManager kv;
  Scheduler scheduler;
  CostModel costs;
  StepPlan step;
  bool busy = false;
};

class Simulation {
 public:
  Simulation(std::span<const TraceRequest> trace, const SimulationOptions& options, std::unique_ptr<Router> router)
      : trace_(trace), options_(options), router_(std::move(router)), loads_(options.replicas) {
    for (uint32_t i = 0; i < options.replicas; ++i) replicas_.push_back(std::make_unique<Replica>(options));
  }

  SimulationResult run(const std::function<void(double, double)>& on_progress) {
    const auto begin = std::chrono::steady_clock::now();
    size_t next = 0;
    const double last = trace_.empty() ? 0 : trace_.back().arrival_seconds / options_.speedup;
    uint64_t events = 0;
    while (next < trace_.size() || !step_ends_.empty()) {
      const Microseconds arrival = next < trace_.size() ? arrival_of(trace_[next]) : kNever;
      const Microseconds step_end = step_ends_.empty() ? kNever : step_ends_.top().first;
      now_us_ = std::min(arrival, step_end);
      note_second();
      if (arrival <= step_end) {
        arrive(trace_[next], next + 1);
        ++next;
      } else {
        const uint32_t replica = step_ends_.top().second;
        step_ends_.pop();
        end_step(replica);
      }
      if (on_progress && ++events % 4096 == 0) on_progress(seconds_of(now_us_), std::max(last, seconds_of(now_us_)));
    }
    GOS_CHECK(result_.finished + result_.refused + result_.too_long == result_.requests);
    result_.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    sum_up();
    return std::move(result_);
  }

 private:
  Microseconds arrival_of(const TraceRequest& request) const {
    return static_cast<Microseconds>(request.arrival_seconds / options_.speedup * 1e6);
  }

  void arrive(const TraceRequest& request, uint64_t number) {
    ++result_.requests;
    const uint64_t length = uint64_t{request.input_tokens} + request.output_tokens;
    if (length > replicas_.front()->scheduler.limits().max_sequence_tokens) {
      ++result_.too_long;
      tenants_[request.tenant];
      return;
    }
    const uint32_t chosen = router_->choose(request, loads_);
    Replica& replica = *replicas_[chosen];
    auto sequence = std::make_unique<Sequence>();
    sequence->id = number;
    sequence->tenant = request.tenant;
    sequence->pages.salt = request.tenant;
    sequence->arrival_us = now_us_;
    sequence->known.resize(request.input_tokens);
    for (uint32_t i = 0; i < request.input_tokens; ++i) sequence->known[i] = text_at(request, number, i);
    sequence->prompt_tokens = request.input_tokens;
    sequence->max_tokens = request.input_tokens + request.output_tokens;
    if (!replica.scheduler.submit(std::move(sequence)).ok()) {
      ++result_.refused;
      tenants_[request.tenant];
      return;
    }
    journeys_[number] = {&request, now_us_};
    ++loads_[chosen].requests;
    loads_[chosen].prompt_tokens += request.input_tokens;
    ++waiting_;
    if (!replica.busy) begin_step(chosen);
  }

  void begin_step(uint32_t index) {
    Replica& replica = *replicas_[index];
    replica.step =
        replica.scheduler.plan_step(now_us_, step_budget(replica.scheduler, replica.costs, options_.tpot_goal_seconds));
    replica.busy = !replica.step.rows.empty();
    if (!replica.busy) return;
    CostModel::Step cost;
    for (const PlannedRow& row : replica.step.rows) cost.add_row(row.start, row.length, row.samples);
    const double seconds = options_.machine.step_seconds(cost);
    replica.costs.observe(cost, seconds);
    step_ends_.emplace(now_us_ + std::max<Microseconds>(1, std::llround(seconds * 1e6)), index);
    ++result_.steps;
  }

  void end_step(uint32_t index) {
    Replica& replica = *replicas_[index];
    std::vector<TokenId> sampled;
    for (const PlannedRow& row : replica.step.rows)
      if (row.samples) sampled.push_back(text_at(*journeys_.at(row.id).request, row.id, row.start + row.length));
    replica.scheduler.settle_step(replica.step, sampled);
    for (const PlannedRow& row : replica.step.rows) {
      Journey& journey = journeys_.at(row.id);
      const uint32_t done = std::min(row.start + row.length, row.sequence->prompt_tokens);
      if (done > journey.prompt_done) {  // not: computed again after a preemption
        result_second().input_tokens += std::min(row.length, done - journey.prompt_done);
        loads_[index].prompt_tokens -= done - journey.prompt_done;
        journey.prompt_done = done;
      }
      if (row.samples) next_token(index, row);
    }
    begin_step(index);
  }

  void next_token(uint32_t index, const PlannedRow& row) {
    Journey& journey = journeys_.at(row.id);
    ++result_second().output_tokens;
    if (journey.tokens++ == 0) {
      journey.first_token_us = now_us_;
      --waiting_;
      ++running_;
    } else {
      itl_ms_.add(seconds_of(now_us_ - journey.last_token_us) * 1e3);
    }
    journey.last_token_us = now_us_;
    if (row.sequence->known.size() < row.sequence->max_tokens) return;
    --running_;
    --loads_[index].requests;
    finish(journey, *replicas_[index]->scheduler.end(row.id));
    journeys_.erase(row.id);
  }

  void finish(const Journey& journey, const Sequence& sequence) {
    const double ttft = seconds_of(journey.first_token_us - journey.arrival_us);
    const double tpot = journey.tokens > 1 ? seconds_of(now_us_ - journey.first_token_us) / (journey.tokens - 1) : 0;
    ttft_ms_.push_back(ttft * 1e3);
    if (journey.tokens > 1) tpot_ms_.push_back(tpot * 1e3);
    good_ += ttft <= options_.ttft_limit_seconds && tpot <= options_.tpot_limit_seconds;
    ++result_.finished;
    result_.input_tokens += sequence.prompt_tokens;
    result_.cached_tokens += sequence.cached_tokens;
    result_.output_tokens += journey.tokens;
    auto& [tokens, seconds] = tenants_[sequence.tenant];
    tokens += journey.tokens + sequence.prompt_tokens;
    seconds += seconds_of(now_us_ - journey.arrival_us);
  }

  SecondOfTime& result_second() {
    const auto second = std::min(static_cast<size_t>(now_us_ / 1'000'000), kMostSeconds);
    if (result_.seconds.size() <= second) result_.seconds.resize(second + 1, {running_, waiting_, 0, 0});
    return result_.seconds[second];
  }

  void note_second() {
    SecondOfTime& second = result_second();
    second.running = running_;
    second.waiting = waiting_;
  }

  void sum_up() {
    result_.virtual_seconds = seconds_of(now_us_);
    result_.ttft_ms = percentiles(std::move(ttft_ms_));
    result_.tpot_ms = percentiles(std::move(tpot_ms_));
    result_.itl_ms = itl_ms_.percentiles();
    const double day = trace_.empty() ? 0 : seconds_of(arrival_of(trace_.back()));
    result_.goodput_per_second = static_cast<double>(good_) / std::max(day, 1.0);
    if (result_.input_tokens)
      result_.hit_rate = static_cast<double>(result_.cached_tokens) / static_cast<double>(result_.input_tokens);
    for (const auto& replica : replicas_) result_.preemptions += replica->scheduler.num_preemptions();
    double sum = 0, squares = 0;
    for (const auto& [tenant, service] : tenants_) {
      const double speed = service.second > 0 ? static_cast<double>(service.first) / service.second : 0;
      sum += speed;
      squares += speed * speed;
    }
    if (squares > 0) result_.fairness = sum * sum / (static_cast<double>(tenants_.size()) * squares);
  }

  std::span<const TraceRequest> trace_;
  const SimulationOptions& options_;
  std::unique_ptr<Router> router_;
  std::vector<ReplicaLoad> loads_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  using StepEnd = std::pair<Microseconds, uint32_t>;
  std::priority_queue<StepEnd, std::vector<StepEnd>, std::greater<>> step_ends_;
  std::unordered_map<SequenceId, Journey> journeys_;
  std::map<TenantId, std::pair<uint64_t, double>> tenants_;  // tokens served, seconds waited for them
  std::vector<double> ttft_ms_, tpot_ms_;
  Histogram itl_ms_;
  uint64_t good_ = 0;
  uint32_t running_ = 0, waiting_ = 0;
  Microseconds now_us_ = 0;
  SimulationResult result_;
};

}  // namespace

Result<SimulationResult> simulate(std::span<const TraceRequest> trace, const SimulationOptions& options,
                                  const std::function<void(double, double)>& on_progress) {
  GOS_TRY(std::unique_ptr<Router> router, make_router(options.policy, options.seed));
  if (options.limits.max_rows == 0 || options.limits.max_step_tokens == 0 || options.replicas == 0)
    return make_error(ErrorCode::kInvalidInput, "{} replicas with {} rows of {} tokens a step can answer nobody",
                      options.replicas, options.limits.max_rows, options.limits.max_step_tokens);
  if (max_sequence_tokens(kShape, options.machine.num_pages, options.limits) == 0)
    return make_error(ErrorCode::kInvalidInput,
                      "a cache of {} pages is too small for any request with steps of {} tokens",
                      options.machine.num_pages, options.limits.max_step_tokens);
  return Simulation(trace, options, std::move(router)).run(on_progress);
}

}  // namespace gossamer::simulator
