#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>

#include "base/free_memory.h"
#include "engine/step_budget.h"
#include "engine/step_in_flight.h"

namespace gossamer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// The engine refuses before it accepts; what it has accepted the scheduler takes.
SchedulerLimits without_line_limits(SchedulerLimits limits) {
  limits.max_waiting_requests = ~0u;
  limits.max_waiting_tokens = ~0ull;
  return limits;
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  static constexpr std::string_view kNames[] = {"stop", "length", "cancelled", "deadline", "error"};
  return kNames[static_cast<size_t>(reason)];
}

struct Engine::Impl {
  Impl(LoadedModel& loaded_model, const EngineOptions& engine_options, KvMemory kv_memory)
      : loaded(loaded_model),
        options(engine_options),
        memory(std::move(kv_memory)),
        kv(loaded.model->kv_shape(options.kv_dtype), memory.num_pages()),
        scheduler(kv, without_line_limits(options.limits)),
        costs(loaded.model->config().num_experts, loaded.model->config().experts_per_token),
        max_sequence_tokens(scheduler.limits().max_sequence_tokens) {
    if (!loaded.tokenizer) return;
    const uint32_t vocab_size = loaded.model->config().vocab_size;
    sampleable.emplace(vocab_size, true);
    for (TokenId token = 0; token < vocab_size; ++token)
      if (loaded.tokenizer->kind(token) == TokenKind::kUnnamed) sampleable->forbid(token);
  }

  // On any thread.
  Result<SequenceId> submit(EngineRequest request, EventSink sink);
  Status check(const EngineRequest& request) const;
  uint32_t rows_of_logits() const;
  Microseconds now_us() const { return static_cast<Microseconds>(seconds_between(started, Clock::now()) * 1e6); }
  bool draws_elsewhere() const { return loaded.model->elsewhere() && loaded.model->elsewhere()->can_draw(); }

  // On the engine's thread.
  void run();
  bool take_messages(bool wait);
  bool step();
  std::unique_ptr<StepInFlight> launch_next();
  void complete(StepInFlight& step, bool is_timed);
  static std::vector<Logprobs> new_prompt_logprobs(LiveRequest& request, uint32_t start,
                                                   std::vector<Logprobs>& logprobs);
  void hand_out(StepInFlight& step);
  void end(SequenceId id, FinishReason reason, std::string error = {});
  void end_all(FinishReason reason, const std::string& error = {});
  void publish_line();
  void report(const StepPlan& plan, double seconds);
  void publish_stats(StepInFlight& step, double seconds, bool is_timed);
  double predicted_wait_seconds(uint64_t requests_ahead, uint64_t tokens_ahead) const;
  double predicted_wait_now() const;
  std::pair<uint64_t, uint64_t> line() const;

  LoadedModel& loaded;
  const EngineOptions options;
  KvMemory memory;
  KvManager kv;
  Scheduler scheduler;
  CostModel costs;
  const uint32_t max_sequence_tokens;
  std::optional<TokenMask> sampleable;  // ids without a name are never sampled; nothing without a tokenizer
  LiveRequests live;
  std::unique_ptr<StepInFlight> in_flight;  // that was launched and draws its tokens, while nobody waits for it
  Clock::time_point last_step_end;
  MaskWorker mask_worker;
  const Clock::time_point started = Clock::now();
  std::function<void(const StepRecord&)> observer;

  // Messages to the engine's thread.
  struct Submission {
    std::unique_ptr<Sequence> sequence;
    LiveRequest live;
  };
  mutable std::mutex mutex;
  std::condition_variable news;
  std::vector<Submission> submissions;
  std::vector<SequenceId> cancels;
  bool forgets_prefixes = false;
  uint32_t num_waiting = 0;  // in the scheduler's line, as of the last step; and their prompt tokens
  uint64_t waiting_tokens = 0;
  double prompt_tokens_per_second = 0;
  bool stopping = false;
  EngineStats stats;
  std::atomic<SequenceId> next_id{1};
  std::thread thread;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->news.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<Engine>> Engine::start(LoadedModel& model, const EngineOptions& options) {
  EngineOptions chosen = options;
  const ModelConfig& config = model.model->config();
  const KvShape shape = model.model->kv_shape(options.kv_dtype);
  SchedulerLimits& limits = chosen.limits;
  limits.max_sequence_tokens = std::min(limits.max_sequence_tokens, config.max_context);
  if (limits.max_rows == 0 || limits.max_step_tokens == 0 || limits.max_step_tokens > 1u << 20)
    return make_error(ErrorCode::kInvalidInput, "{} rows with steps of {} tokens cannot be run", limits.max_rows,
                      limits.max_step_tokens);
  ForwardPass* const device = model.model->elsewhere();
  limits.max_steps_in_flight = device && device->can_run_ahead() ? 2 : 1;
  if (device) GOS_TRY_STATUS(device->prepare({limits.max_step_tokens, limits.max_rows, limits.max_sequence_tokens}));
  const uint64_t free_bytes = device ? device->free_bytes(shape) : free_memory_bytes();
  if (chosen.kv_bytes == 0) {
    const uint64_t pages = uint64_t{2} * shape.pages_of_sequence(limits.max_sequence_tokens, limits.max_step_tokens);
    // On a device all that this program may use; on the host people do other things too.
    chosen.kv_bytes =
        device ? free_bytes : std::min(pages * shape.page_bytes(), std::max<uint64_t>(free_bytes / 4, 64 << 20));
  }
  if (device && chosen.kv_bytes > free_bytes)
    return make_error(
        ErrorCode::kInvalidInput,
        "a KV cache of {:.2f} GB does not fit on the GPU: {:.2f} GB are left for it beside {}; give it more "
        "with --gpu-memory-utilization or --gpu-memory, or name less with --kv-memory",
        static_cast<double>(chosen.kv_bytes) / 1e9, static_cast<double>(free_bytes) / 1e9, device->memory_text());
  if (free_bytes > 0 && chosen.kv_bytes > free_bytes)
    return make_error(ErrorCode::kInvalidInput, "a KV cache of {:.1f} GB does not fit: {:.1f} GB of memory are free",
                      static_cast<double>(chosen.kv_bytes) / 1e9, static_cast<double>(free_bytes) / 1e9);
  constexpr uint64_t kMostPages = 1u << 26;  // 2^31 tokens
  const uint64_t num_pages = std::min(chosen.kv_bytes / shape.page_bytes(), kMostPages);
  if (gossamer::max_sequence_tokens(shape, static_cast<uint32_t>(num_pages), limits) < 2 * kPageTokens)
    return make_error(ErrorCode::kInvalidInput,
                      "a KV cache of {:.1f} MB is too small: a page of {} tokens takes {:.2f} MB, and one short "
                      "conversation {} pages; give it more",
                      static_cast<double>(chosen.kv_bytes) / 1e6, kPageTokens,
                      static_cast<double>(shape.page_bytes()) / 1e6,
                      shape.max_sliding_pages(limits.max_step_tokens * limits.max_steps_in_flight) + 2);
  GOS_TRY(KvMemory memory, model.model->allocate_kv(options.kv_dtype, static_cast<uint32_t>(num_pages)));
  if (options.populate) memory.populate();
  if (device) device->warm_up(memory);
  auto impl = std::make_unique<Impl>(model, chosen, std::move(memory));
  Impl* running = impl.get();
  std::unique_ptr<Engine> engine(new Engine(std::move(impl)));
  running->thread = std::thread([running] { running->run(); });
  return engine;
}

Result<SequenceId> Engine::submit(EngineRequest request, EventSink sink) {
  return impl_->submit(std::move(request), std::move(sink));
}

void Engine::cancel(SequenceId id) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->cancels.push_back(id);
  }
  impl_->news.notify_all();
}

void Engine::reset_prefix_cache() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->forgets_prefixes = true;
  }
  impl_->news.notify_all();
}

EngineStats Engine::stats() const {
  std::lock_guard lock(impl_->mutex);
  EngineStats stats = impl_->stats;
  stats.predicted_wait_seconds = impl_->predicted_wait_now();
  return stats;
}

uint32_t Engine::max_sequence_tokens() const {
  return impl_->max_sequence_tokens;
}

uint32_t Engine::num_pages() const {
  return impl_->memory.num_pages();
}

uint64_t Engine::kv_bytes() const {
  return impl_->memory.size_bytes();
}

std::string Engine::capacity() const {
  const KvShape& shape = impl_->kv.shape();
  const uint32_t longest = impl_->max_sequence_tokens, full = impl_->loaded.model->config().max_context;
  const ForwardPass* const device = impl_->loaded.model->elsewhere();
  return fmt::format("KV cache: {:.2f} GB of {}, room for {} tokens in one sequence, {} sequences of {} tokens{}",
                     static_cast<double>(kv_bytes()) / 1e9, kv_dtype_name(impl_->options.kv_dtype),
                     shape.longest_sequence(num_pages(), 1), shape.sequences_in(num_pages(), std::min(longest, full)),
                     std::min(longest, full), device ? "; beside it on the GPU " + device->memory_text() : "");
}

void Engine::observe_steps(std::function<void(const StepRecord&)> observer) {
  std::lock_guard lock(impl_->mutex);
  impl_->observer = std::move(observer);
}

Status Engine::Impl::check(const EngineRequest& request) const {
  GOS_TRY_STATUS(request.sampling.validate());
  if (request.prompt.empty()) return make_error(ErrorCode::kInvalidInput, "the prompt has no tokens");
  if (request.prompt.size() >= max_sequence_tokens) {
    const uint32_t context = loaded.model->config().max_context;
    const std::string why = max_sequence_tokens < context ? " (the KV cache has room for no more)" : "";
    return make_error(
        ErrorCode::kTooLong,
        "the prompt has {} tokens, but the context of {} holds {}{} and an answer needs one at least; shorten it",
        request.prompt.size(), loaded.checkpoint.name(), max_sequence_tokens, why);
  }
  for (const auto& [token, bias] : request.sampling.logit_bias)
    if (token >= loaded.model->config().vocab_size)
      return make_error(ErrorCode::kInvalidInput,
                        "logit_bias names token {}, which is not one of the model's {} tokens", token,
                        loaded.model->config().vocab_size);
  for (TokenId token : request.prompt)
    if (token >= loaded.model->config().vocab_size)
      return make_error(ErrorCode::kInvalidInput, "token {} is not one of the model's {} tokens", token,
                        loaded.model->config().vocab_size);
  return {};
}

Result<SequenceId> Engine::Impl::submit(EngineRequest request, EventSink sink) {
  GOS_TRY_STATUS(check(request));
  const Clock::time_point now = Clock::now();
  const auto prompt_tokens = static_cast<uint32_t>(request.prompt.size());
  const uint32_t room = max_sequence_tokens - prompt_tokens;
  auto sequence = std::make_unique<Sequence>();
  sequence->id = next_id++;
  sequence->tenant = request.tenant;
  sequence->priority = request.priority;
  sequence->arrival_us = static_cast<Microseconds>(seconds_between(started, now) * 1e6);
  constexpr double kLongestTimeoutSeconds = 1e9;
  if (request.timeout_seconds > 0 && request.timeout_seconds < kLongestTimeoutSeconds)
    sequence->deadline_us = sequence->arrival_us + static_cast<Microseconds>(request.timeout_seconds * 1e6);
  sequence->known = request.prompt;
  sequence->prompt_tokens = prompt_tokens;
  sequence->max_tokens = prompt_tokens + (request.max_tokens == 0 ? room : std::min(request.max_tokens, room));
  sequence->computes_whole_prompt = request.computes_whole_prompt;
  if (request.prompt_logprobs) sequence->max_row_tokens = rows_of_logits();
  sequence->checkpoints = request.checkpoints;
  sequence->pages.salt = request.salt.value_or(request.tenant);
  sequence->pages.shares_prefix = options.prefix_cache;
  const SequenceId id = sequence->id;
  TokenChooser chooser(request, loaded.model->config().vocab_size, sampleable ? &*sampleable : nullptr,
                       draws_elsewhere());
  {
    std::lock_guard lock(mutex);
    if (stopping) return make_error(ErrorCode::kCancelled, "the engine is stopping");
    const auto [requests, tokens] = line();
    if (requests >= options.limits.max_waiting_requests ||
        (requests > 0 && tokens + prompt_tokens > options.limits.max_waiting_tokens))
      return make_error(ErrorCode::kBusy,
                        "not now: {} requests with {} prompt tokens are waiting already; try again in about {:.0f} s",
                        requests, tokens, predicted_wait_seconds(requests, tokens));
    submissions.push_back({std::move(sequence), {std::move(request), std::move(sink), std::move(chooser), now}});
  }
  news.notify_all();
  return id;
}

/// Rows of logits that fit into the memory that one request may take for them.
uint32_t Engine::Impl::rows_of_logits() const {
  constexpr uint64_t kMostBytes = 64u << 20;
  return static_cast<uint32_t>(std::max<uint64_t>(kMostBytes / sizeof(float) / loaded.model->config().vocab_size, 1));
}

void Engine::Impl::run() {
  bool idle = true;
  while (take_messages(idle)) {
    try {
      idle = !step();
    } catch (const std::exception& problem) {  // out of memory, or a sink that throws: nobody is left without an end
      in_flight.reset();
      kv.retire(scheduler.newest_step());
      end_all(FinishReason::kError, problem.what());
      idle = true;
    }
    publish_line();
  }
  in_flight.reset();
  end_all(FinishReason::kCancelled);
}

/// Submissions and cancels since the last time; with `wait` sleeps until there are some. False: the engine stops.
bool Engine::Impl::take_messages(bool wait) {
  std::vector<Submission> arrived;
  std::vector<SequenceId> unwanted;
  bool stop, forgets;
  {
    std::unique_lock lock(mutex);
    if (wait) news.wait(lock, [&] { return stopping || !submissions.empty() || !cancels.empty(); });
    arrived.swap(submissions);
    unwanted.swap(cancels);
    num_waiting += static_cast<uint32_t>(arrived.size());
    for (const Submission& submission : arrived) waiting_tokens += submission.sequence->prompt_tokens;
    stop = stopping;
    forgets = std::exchange(forgets_prefixes, false);
  }
  if (forgets) kv.forget_prefixes();
  for (Submission& submission : arrived) {
    const SequenceId id = submission.sequence->id;
    live.emplace(id, std::move(submission.live)).first->second.chooser.prepare(mask_worker);
    if (Status accepted = scheduler.submit(std::move(submission.sequence)); !accepted.ok())
      end(id, FinishReason::kError, accepted.error().message);
  }
  for (SequenceId id : unwanted) end(id, FinishReason::kCancelled);
  if (!arrived.empty() || !unwanted.empty()) publish_line();
  return !stop;
}

/// Plans and launches a step, then waits for the one before it where there is one, and hands its tokens out while the
/// device computes. False: there was nothing to do.
bool Engine::Impl::step() {
  for (SequenceId id : scheduler.expired(now_us())) end(id, FinishReason::kDeadline);
  std::unique_ptr<StepInFlight> next = launch_next();
  const std::unique_ptr<StepInFlight> before = std::move(in_flight);
  // Where the host waited for the next step's logits, neither step's time is its own.
  const bool are_timed = !before || !next || next->leaves_host_free();
  if (before) complete(*before, are_timed);
  if (!next) return before != nullptr;
  next->draw();
  if (next->leaves_host_free())
    in_flight = std::move(next);
  else
    complete(*next, are_timed);
  return true;
}

/// Null: there is nothing to compute, or everything waits for the step in flight.
std::unique_ptr<StepInFlight> Engine::Impl::launch_next() {
  StepPlan plan = scheduler.plan_step(now_us(), step_budget(scheduler, costs, options.tpot_goal_seconds));
  if (plan.rows.empty()) return nullptr;
  auto next = std::make_unique<StepInFlight>(std::move(plan), loaded, memory, live);
  for (const PlannedRow& row : next->plan().rows) {
    LiveRequest& request = live.at(row.id);
    if (!request.queue_seconds) request.queue_seconds = seconds_between(request.submitted, next->begin());
  }
  next->launch(in_flight.get());
  return next;
}

/// Waits for a step, samples, settles, hands out.
void Engine::Impl::complete(StepInFlight& step, bool is_timed) {
  const StepPlan& plan = step.plan();
  if (const Status computed = step.finish(mask_worker); !computed.ok()) {
    kv.retire(plan.step);
    for (size_t i = 0; i < plan.rows.size(); ++i)
      if (step.results()[i].is_wanted) end(plan.rows[i].id, FinishReason::kError, computed.error().message);
    return;
  }
  const Clock::time_point now = Clock::now();
  const double seconds = seconds_between(std::max(step.begin(), last_step_end), now);
  last_step_end = now;
  CostModel::Step cost;
  for (const PlannedRow& row : plan.rows) cost.add_row(row.start, row.length, row.samples);
  if (is_timed) costs.observe(cost, seconds);
  std::vector<TokenId> tokens;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const Result<TokenId>& token = step.results()[i].token;
    if (plan.rows[i].samples) tokens.push_back(token.ok() ? *token : 0);  // a failed one ends below
  }
  scheduler.settle_step(plan, tokens);
  report(plan, seconds);
  hand_out(step);
  publish_stats(step, seconds, is_timed);
}

/// Those that were not handed out before: after a preemption a prompt is computed again.
std::vector<Logprobs> Engine::Impl::new_prompt_logprobs(LiveRequest& request, uint32_t start,
                                                        std::vector<Logprobs>& logprobs) {
  const size_t known = request.scored_prompt_tokens > start ? request.scored_prompt_tokens - start : 0;
  if (known >= logprobs.size()) return {};
  request.scored_prompt_tokens = start + static_cast<uint32_t>(logprobs.size());
  return {std::make_move_iterator(logprobs.begin() + static_cast<ptrdiff_t>(known)),
          std::make_move_iterator(logprobs.end())};
}

/// Events of a step that has settled, and the ends that follow from its tokens.
void Engine::Impl::hand_out(StepInFlight& step) {
  for (size_t i = 0; i < step.results().size(); ++i) {
    const PlannedRow& row = step.plan().rows[i];
    StepInFlight::RowResult& result = step.results()[i];
    if (!result.is_wanted) continue;
    const Sequence& sequence = *row.sequence;
    LiveRequest& request = live.at(row.id);
    EngineEvent event;
    event.id = row.id;
    event.prompt_tokens = sequence.prompt_tokens;
    event.cached_tokens = sequence.cached_tokens;
    event.times.queue_seconds = request.queue_seconds.value_or(0);
    if (row.start < sequence.prompt_tokens) {
      event.kind = EngineEvent::Kind::kPrefill;
      event.prompt_done = std::min(row.start + row.length, sequence.prompt_tokens);
      event.prompt_logprobs = new_prompt_logprobs(request, row.start, result.prompt_logprobs);
      request.sink(event);
      event.prompt_logprobs.clear();
    }
    if (!row.samples) continue;
    if (!result.token.ok()) {
      end(row.id, FinishReason::kError, result.token.error().message);
      continue;
    }
    event.kind = EngineEvent::Kind::kToken;
    event.token = *result.token;
    event.logprobs = std::move(result.logprobs);
    if (request.first_token_seconds == 0)
      request.first_token_seconds = seconds_between(request.submitted, Clock::now());
    event.times.first_token_seconds = request.first_token_seconds;
    request.sink(event);
    const std::vector<TokenId>& stops = request.request.stop_tokens;
    if (result.is_complete || std::find(stops.begin(), stops.end(), event.token) != stops.end())
      end(row.id, FinishReason::kStop);
    else if (sequence.known.size() == sequence.max_tokens)
      end(row.id, FinishReason::kLength);
  }
}

/// The terminal event of a request, once.
void Engine::Impl::end(SequenceId id, FinishReason reason, std::string error) {
  const auto found = live.find(id);
  if (found == live.end()) return;
  const std::unique_ptr<Sequence> sequence = scheduler.end(id);
  EngineEvent event;
  event.id = id;
  event.finish = reason;
  event.error = std::move(error);
  event.prompt_tokens = static_cast<uint32_t>(found->second.request.prompt.size());
  if (sequence) event.cached_tokens = sequence->cached_tokens;
  const double end_seconds = seconds_between(found->second.submitted, Clock::now());
  event.times = {found->second.first_token_seconds, end_seconds, found->second.queue_seconds.value_or(end_seconds)};
  event.masked = found->second.chooser.masked();
  const EventSink sink = std::move(found->second.sink);
  live.erase(found);
  {
    std::lock_guard lock(mutex);
    ++stats.ended;
    stats.cached_tokens += event.cached_tokens;
    stats.masked += event.masked;
  }
  sink(event);
}

void Engine::Impl::end_all(FinishReason reason, const std::string& error) {
  std::vector<SequenceId> ids;
  for (const auto& [id, request] : live) ids.push_back(id);
  for (SequenceId id : ids) end(id, reason, error);
}

/// How long the line is, for who submits and who looks.
void Engine::Impl::publish_line() {
  std::lock_guard lock(mutex);
  stats.running = static_cast<uint32_t>(scheduler.running().size());
  stats.waiting = num_waiting = static_cast<uint32_t>(scheduler.num_waiting());
  waiting_tokens = scheduler.tokens_ahead();
  const PagePool& pool = kv.pool();
  stats.num_pages = pool.num_pages();
  stats.free_pages = pool.num_free();
  stats.evictable_pages = pool.num_evictable();
  stats.held_pages = pool.num_held();
  stats.preemptions = scheduler.num_preemptions();
}

/// To whoever measures, before anybody hears that an answer has ended.
void Engine::Impl::report(const StepPlan& plan, double seconds) {
  std::lock_guard lock(mutex);
  if (observer) observer({static_cast<uint32_t>(plan.rows.size()), plan.num_tokens(), seconds, kv.pool().num_held()});
}

void Engine::Impl::publish_stats(StepInFlight& step, double seconds, bool is_timed) {
  uint32_t of_prompts = 0, generated = 0;
  double mask_wait_seconds = 0;
  for (size_t i = 0; i < step.results().size(); ++i) {
    const PlannedRow& row = step.plan().rows[i];
    const bool is_answer = row.samples && row.length == 1;
    of_prompts += is_answer ? 0 : row.length;
    generated += row.samples && step.results()[i].is_wanted;
    mask_wait_seconds += step.results()[i].mask_wait_seconds;
  }
  std::lock_guard lock(mutex);
  ++stats.steps;
  stats.last_step_seconds = seconds;
  stats.prompt_tokens += of_prompts;
  stats.generated_tokens += generated;
  stats.mask_wait_seconds += mask_wait_seconds;
  if (of_prompts > 0 && is_timed) {
    const double rate = of_prompts / seconds;
    prompt_tokens_per_second += (prompt_tokens_per_second == 0 ? 1.0 : 0.1) * (rate - prompt_tokens_per_second);
  }
}

/// Requests in line and their prompt tokens. Called with the mutex held.
std::pair<uint64_t, uint64_t> Engine::Impl::line() const {
  uint64_t tokens = waiting_tokens;
  for (const Submission& submission : submissions) tokens += submission.sequence->prompt_tokens;
  return {num_waiting + submissions.size(), tokens};
}

double Engine::Impl::predicted_wait_now() const {
  const auto [requests, tokens] = line();
  return requests == 0 ? 0 : predicted_wait_seconds(requests, tokens);
}

/// An honest guess: the prompts ahead at the speed of the last ones, or the requests ahead at the rate in which others
/// have ended, whichever is longer. Called with the mutex held.
double Engine::Impl::predicted_wait_seconds(uint64_t requests_ahead, uint64_t tokens_ahead) const {
  double wait = 1;
  if (prompt_tokens_per_second > 0) wait = std::max(wait, static_cast<double>(tokens_ahead) / prompt_tokens_per_second);
  const double uptime = seconds_between(started, Clock::now());
  return std::max(
      wait, static_cast<double>(requests_ahead) * uptime / static_cast<double>(std::max<uint64_t>(stats.ended, 1)));
}

}  // namespace gossamer
