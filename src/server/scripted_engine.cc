#include "server/scripted_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gossamer::server {
namespace {

using Clock = std::chrono::steady_clock;

double now_seconds() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

Logprobs made_up_logprobs(TokenId token, uint32_t num_top) {
  Logprobs logprobs;
  logprobs.chosen = -0.5f;
  for (uint32_t i = 0; i < num_top; ++i) logprobs.top.push_back({token + i, -0.5f - static_cast<float>(i)});
  return logprobs;
}

}  // namespace

struct ScriptedEngine::Running {
  EngineRequest request;
  EventSink sink;
  const std::vector<TokenId>* answer = nullptr;
  size_t position = 0;
  double submitted = 0, first_token = 0;
};

ScriptedEngine::ScriptedEngine(Script script) : script_(std::move(script)), thread_([this] { run(); }) {}

ScriptedEngine::~ScriptedEngine() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  thread_.join();
}

Result<SequenceId> ScriptedEngine::submit(EngineRequest request, EventSink sink) {
  GOS_TRY_STATUS(request.sampling.validate());
  if (request.prompt.empty()) return make_error(ErrorCode::kInvalidInput, "the prompt has no tokens");
  if (request.prompt.size() >= script_.max_sequence_tokens)
    return make_error(ErrorCode::kTooLong,
                      "the prompt has {} tokens, but the context holds {} and an answer needs one at least; shorten it",
                      request.prompt.size(), script_.max_sequence_tokens);
  SequenceId id;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return make_error(ErrorCode::kCancelled, "the engine is stopping");
    if (stats_.running + stats_.waiting >= script_.max_waiting)
      return make_error(ErrorCode::kBusy, "not now: {} requests are waiting already", stats_.running + stats_.waiting);
    id = next_id_++;
    ++stats_.waiting;
    stats_.prompt_tokens += request.prompt.size();
    Running running{std::move(request), std::move(sink), &script_.answers[num_submitted_++ % script_.answers.size()]};
    running.submitted = now_seconds();
    arrived_.emplace_back(id, std::move(running));
  }
  news_.notify_all();
  return id;
}

void ScriptedEngine::cancel(SequenceId id) {
  {
    std::lock_guard lock(mutex_);
    cancels_.push_back(id);
  }
  news_.notify_all();
}

EngineStats ScriptedEngine::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void ScriptedEngine::run() {
  double next_turn = 0;
  for (;;) {
    std::vector<std::pair<SequenceId, Running>> arrived;
    std::vector<SequenceId> cancels;
    {
      std::unique_lock lock(mutex_);
      const auto has_news = [&] { return stopping_ || !arrived_.empty() || !cancels_.empty(); };
      if (running_.empty())
        news_.wait(lock, has_news);
      else if (const double wait = next_turn - now_seconds(); wait > 0)
        news_.wait_for(lock, std::chrono::duration<double>(wait), has_news);
      if (stopping_) break;
      arrived.swap(arrived_);
      cancels.swap(cancels_);
      stats_.waiting -= static_cast<uint32_t>(arrived.size());
      stats_.running += static_cast<uint32_t>(arrived.size());
    }
    const double now = now_seconds();
    for (auto& [id, running] : arrived) running_.emplace(id, std::move(running));
    for (const SequenceId id : cancels)
      if (const auto found = running_.find(id); found != running_.end()) {
        end(id, found->second, FinishReason::kCancelled, now);
        running_.erase(found);
      }
    if (now < next_turn) continue;
    next_turn = now + script_.seconds_per_token;
    for (auto entry = running_.begin(); entry != running_.end();)
      entry = advance(entry->first, entry->second, now) ? std::next(entry) : running_.erase(entry);
  }
  for (auto& [id, running] : running_) end(id, running, FinishReason::kCancelled, now_seconds());
  for (auto& [id, running] : arrived_) end(id, running, FinishReason::kCancelled, now_seconds());
}

/// One token further. False: it has ended.
bool ScriptedEngine::advance(SequenceId id, Running& running, double now) {
  const EngineRequest& request = running.request;
  if (now < running.submitted + script_.first_token_seconds) return true;
  if (request.timeout_seconds > 0 && now > running.submitted + request.timeout_seconds)
    return end(id, running, FinishReason::kDeadline, now), false;
  if (running.position == running.answer->size()) return end(id, running, FinishReason::kStop, now), false;

  EngineEvent event;
  event.id = id;
  event.kind = EngineEvent::Kind::kToken;
  event.token = (*running.answer)[running.position++];
  event.prompt_tokens = static_cast<uint32_t>(request.prompt.size());
  event.cached_tokens = std::min(script_.cached_tokens, event.prompt_tokens);
  if (request.top_logprobs) event.logprobs = made_up_logprobs(event.token, *request.top_logprobs);
  if (running.first_token == 0) running.first_token = now;
  event.times.first_token_seconds = running.first_token - running.submitted;
  {
    std::lock_guard lock(mutex_);
    ++stats_.generated_tokens;
  }
  running.sink(event);
  const std::vector<TokenId>& stops = request.stop_tokens;
  if (running.position > request.min_tokens && std::find(stops.begin(), stops.end(), event.token) != stops.end())
    return end(id, running, FinishReason::kStop, now), false;
  const size_t room = script_.max_sequence_tokens - request.prompt.size();
  if (running.position == (request.max_tokens ? std::min<size_t>(request.max_tokens, room) : room))
    return end(id, running, FinishReason::kLength, now), false;
  return true;
}

void ScriptedEngine::end(SequenceId id, Running& running, FinishReason reason, double now) {
  EngineEvent event;
  event.id = id;
  event.kind = EngineEvent::Kind::kEnd;
  event.finish = reason;
  event.prompt_tokens = static_cast<uint32_t>(running.request.prompt.size());
  event.cached_tokens = std::min(script_.cached_tokens, event.prompt_tokens);
  event.times.end_seconds = now - running.submitted;
  if (running.first_token > 0) event.times.first_token_seconds = running.first_token - running.submitted;
  {
    std::lock_guard lock(mutex_);
    --stats_.running;
    ++stats_.ended;
  }
  running.sink(event);
}

}  // namespace gossamer::server
