#include "engine/throughput.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/event_queue.h"

namespace gossamer {
namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// What is known of a request that runs.
struct Running {
  Clock::time_point first_token, last_token;
  uint32_t tokens = 0;
};

/// What steps report, from the engine's thread.
struct StepLog {
  std::mutex mutex;
  std::vector<double> ms;
  uint64_t rows = 0;
  uint32_t most_rows = 0, most_pages = 0;
};

}  // namespace

Percentiles percentiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<size_t>(rank, 1) - 1];
  };
  return {at(0.50), at(0.90), at(0.99)};
}

Result<ThroughputResult> measure_throughput(Engine& engine, std::span<const WorkItem> items, uint32_t concurrency,
                                            const std::function<bool(uint32_t, uint32_t)>& on_progress) {
  auto steps = std::make_shared<StepLog>();
  engine.observe_steps([steps](const StepRecord& step) {
    std::lock_guard lock(steps->mutex);
    steps->ms.push_back(step.seconds * 1e3);
    steps->rows += step.rows;
    steps->most_rows = std::max(steps->most_rows, step.rows);
    steps->most_pages = std::max(steps->most_pages, step.held_pages);
  });
  const uint64_t preemptions_before = engine.stats().preemptions;

  EventQueue events;
  std::unordered_map<SequenceId, Running> running;
  ThroughputResult result;
  std::vector<double> ttft, tpot, itl;
  std::string error;
  bool stopping = false;
  size_t next = 0;
  const Clock::time_point begin = Clock::now();
  const auto stop = [&](std::string why) {
    if (stopping) return;
    stopping = true;
    error = std::move(why);
    for (const auto& [id, request] : running) engine.cancel(id);
  };
  while (true) {
    while (!stopping && next < items.size() && running.size() < concurrency) {
      const WorkItem& item = items[next++];
      EngineRequest request;
      request.prompt = item.prompt;
      request.max_tokens = item.output_tokens;
      request.sampling.temperature = 0;
      Result<SequenceId> id = engine.submit(std::move(request), events.sink());
      if (!id.ok() && id.error().code == ErrorCode::kBusy && !running.empty()) {
        --next;  // the line is full: it comes again when another has ended
        break;
      }
      if (!id.ok()) {
        stop(fmt::format("request {}: {}", next, id.error().message));
        break;
      }
      running[*id] = {};
    }
    if (running.empty()) break;

    const EngineEvent event = events.next();
    const Clock::time_point now = Clock::now();
    Running& request = running.at(event.id);
    if (event.kind == EngineEvent::Kind::kToken) {
      if (request.tokens++ == 0)
        request.first_token = now;
      else
        itl.push_back(ms_between(request.last_token, now));
      request.last_token = now;
    } else if (event.kind == EngineEvent::Kind::kEnd) {
      if (event.finish == FinishReason::kError) stop(event.error);
      if (event.finish == FinishReason::kLength) {
        ++result.requests;
        result.input_tokens += event.prompt_tokens;
        result.output_tokens += request.tokens;
        result.cached_tokens += event.cached_tokens;
        ttft.push_back(event.times.first_token_seconds * 1e3);
        if (request.tokens > 1)
          tpot.push_back(ms_between(request.first_token, request.last_token) / (request.tokens - 1));
      }
      running.erase(event.id);
    }
    if (on_progress && !on_progress(result.requests, static_cast<uint32_t>(items.size()))) stop({});
  }
  result.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  engine.observe_steps({});
  if (!error.empty()) return make_error(ErrorCode::kInvalidInput, "{}", error);

  std::lock_guard lock(steps->mutex);
  result.ttft_ms = percentiles(std::move(ttft));
  result.tpot_ms = percentiles(std::move(tpot));
  result.itl_ms = percentiles(std::move(itl));
  result.mean_rows = steps->ms.empty() ? 0 : static_cast<double>(steps->rows) / static_cast<double>(steps->ms.size());
  result.most_rows = steps->most_rows;
  result.most_pages = steps->most_pages;
  result.num_pages = engine.num_pages();
  result.step_ms = percentiles(steps->ms);
  result.preemptions = engine.stats().preemptions - preemptions_before;
  return result;
}

}  // namespace gossamer
