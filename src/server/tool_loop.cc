#include "server/tool_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "server/answer_constraints.h"
#include "server/chat_prompt.h"
#include "server/ids.h"
#include "server/served_model.h"
#include "server/tool_service.h"
#include "server/tool_turn.h"
#include "server/turn_memory.h"

namespace gossamer::server {
namespace {

using Clock = std::chrono::steady_clock;
using Finish = AnswerEvent::Finish;

constexpr double kBusySeconds = 10;  // that a round waits for a place in the engine's line

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// The rounds of all choices of one answer.
class ToolLoop : public std::enable_shared_from_this<ToolLoop> {
 public:
  ToolLoop(const ToolLoopParts& parts, ChatRequest request, Generation::Sink sink)
      : model_(parts.model),
        service_(parts.service),
        memory_(parts.memory),
        request_(std::move(request)),
        sink_(std::move(sink)),
        choices_(request_.num_choices),
        num_open_(request_.num_choices) {}

  Status start(ServedModel& model) {
    if (request_.approved) return start_with_approved_call(model);
    GOS_TRY(std::shared_ptr<Generation> first,
            start_generation(model, request_, [self = shared_from_this()](const AnswerEvent& event) {
              self->take(event.choice, event);
            }));
    prompt_tokens_ = first->prompt_tokens();
    const std::lock_guard lock(state_mutex_);
    first_ = std::move(first);
    return {};
  }

  void cancel() {
    std::vector<std::shared_ptr<Generation>> running;
    {
      const std::lock_guard lock(state_mutex_);
      cancelled_ = true;
      running.push_back(first_);
      for (const Choice& choice : choices_) running.push_back(choice.round);
    }
    cancellation_.request();
    for (const auto& generation : running)
      if (generation) generation->cancel();
  }

  uint32_t prompt_tokens() const { return prompt_tokens_; }

 private:
  struct Choice {
    std::shared_ptr<Generation> round;  // guarded by state_mutex_; the latest after the first
    uint32_t round_number = 0;          // guarded by state_mutex_; of `round`
    // Of whoever works for the choice: the engine's thread, or one of the service's.
    ToolTurn turn;
    std::map<std::string, std::unique_ptr<tools::ToolSession>> sessions;
    std::vector<TokenId> untold_ids;
    uint32_t num_calls = 0;
    Usage usage;
    RequestTimes times;
    bool ended = false;
  };

  /// Errors: the prompt is too long even without what the call will give.
  Status start_with_approved_call(const ServedModel& model) {
    GOS_CHECK(service_ && request_.num_choices == 1);
    GOS_TRY(const std::vector<TokenId> prompt, server::prompt_tokens(*model.tokenizer(), request_.conversation));
    if (prompt.size() >= model.max_sequence_tokens())
      return make_error(ErrorCode::kTooLong,
                        "the prompt has {} tokens, without the result of the call that is approved", prompt.size());
    prompt_tokens_ = static_cast<uint32_t>(prompt.size());
    service_->run([self = shared_from_this()](bool stopping) {
      if (stopping)
        self->end(0, Finish::kCancelled);
      else
        self->answer_approved_call();
    });
    return {};
  }

  /// On the engine's thread.
  void take(uint32_t index, const AnswerEvent& event) {
    Choice& choice = choices_[index];
    if (choice.ended) return;
    choice.turn.take(event);
    if (event.by_server) {
      choice.untold_ids.insert(choice.untold_ids.end(), event.ids.begin(), event.ids.end());
      return;
    }
    if (event.kind != AnswerEvent::Kind::kEnd) return tell(event);
    count(choice, event);
    if (!goes_on(choice, event)) return end(index, ended(choice, event));
    const ServerCall call = *choice.turn.last_call();
    const bool asks = std::ranges::find(request_.asks_before, call.recipient) != request_.asks_before.end();
    AnswerEvent begun =
        call_event(index, call, asks ? AnswerEvent::Kind::kApprovalRequest : AnswerEvent::Kind::kServerCall);
    begun.text = call.arguments;
    if (asks) {
      tell(begun);
      if (memory_) memory_->keep(request_.limits.tenant, call.id, choice.turn.messages());
      return end(index, ended(choice, event));
    }
    begun.ids = std::exchange(choice.untold_ids, {});
    begun.ids.insert(begun.ids.end(), event.ids.begin(), event.ids.end());
    tell(begun);
    service_->run([self = shared_from_this(), index, call](bool stopping) {
      if (stopping)
        self->end(index, Finish::kCancelled);
      else
        self->answer_call(index, call);
    });
  }

  /// True where the round ended with a call that the server answers.
  bool goes_on(const Choice& choice, const AnswerEvent& event) const {
    return service_ && event.finish == Finish::kToolCalls && choice.turn.last_call() && !choice.turn.calls_client();
  }

  static void count(Choice& choice, const AnswerEvent& event) {
    const bool is_first = choice.usage.prompt_tokens == 0;
    if (is_first) {
      choice.usage = event.usage;
      choice.times = event.times;
      return;
    }
    choice.usage.completion_tokens += event.usage.completion_tokens;
    choice.usage.reasoning_tokens += event.usage.reasoning_tokens;
  }

  /// The end of the last round as the end of the answer.
  AnswerEvent ended(Choice& choice, const AnswerEvent& event) {
    AnswerEvent end = event;
    end.ids = std::exchange(choice.untold_ids, {});
    end.ids.insert(end.ids.end(), event.ids.begin(), event.ids.end());
    if (end.finish == Finish::kToolCalls && !choice.turn.calls_client()) end.finish = Finish::kStop;
    if (memory_ && choice.turn.calls_client())
      for (const std::string& id : choice.turn.client_calls())
        memory_->keep(request_.limits.tenant, id, choice.turn.messages());
    return end;
  }

  /// On one of the service's threads.
  void answer_call(uint32_t index, const ServerCall& call) {
    if (is_cancelled()) return end(index, Finish::kCancelled);
    const std::string result = run_and_tell(index, call);
    const std::shared_ptr<ServedModel> model = model_.lock();
    if (is_cancelled() || !model) return end(index, Finish::kCancelled);
    if (const Status added = choices_[index].turn.add_result(*model->tokenizer(), result); !added.ok())
      return end(index, Finish::kError, added.error().message);
    begin_round(index, *model);
  }

  /// On one of the service's threads, before the first round.
  void answer_approved_call() {
    if (is_cancelled()) return end(0, Finish::kCancelled);
    const ServerCall call{make_id("call_"), request_.approved->recipient, "commentary", request_.approved->arguments};
    AnswerEvent begun = call_event(0, call, AnswerEvent::Kind::kServerCall);
    begun.text = call.arguments;
    begun.details =
        std::make_shared<const json::object>(json::object{{"approval_request_id", request_.approved->request_id}});
    tell(begun);
    const std::string result = run_and_tell(0, call);
    request_.conversation.messages.push_back(harmony::Message::from_tool(call.recipient, call.channel, result));
    const std::shared_ptr<ServedModel> model = model_.lock();
    if (is_cancelled() || !model) return end(0, Finish::kCancelled);
    begin_round(0, *model);
  }

  /// The call's result, which is told.
  std::string run_and_tell(uint32_t index, const ServerCall& call) {
    Choice& choice = choices_[index];
    ++choice.num_calls;
    const tools::ToolResult result = run_tool(choice, call);
    AnswerEvent told = call_event(index, call, AnswerEvent::Kind::kServerResult);
    told.text = result.text;
    told.failed = result.failed;
    if (!result.action.empty()) told.details = std::make_shared<const json::object>(result.action);
    tell(told);
    return result.text;
  }

  tools::ToolResult run_tool(Choice& choice, const ServerCall& call) {
    const std::shared_ptr<const tools::Tool> tool = service_->tools().find(call.recipient);
    if (!tool) return {"There is no such tool.", true, {}};
    std::unique_ptr<tools::ToolSession>& session = choice.sessions[tool->name()];
    if (!session) session = tool->begin();
    tools::CallLimits limits{after(service_->options().call_seconds), service_->options().output_bytes};
    if (request_.limits.timeout_seconds > 0)
      limits.deadline = std::min(limits.deadline, after(std::max(0.0, seconds_left())));
    return session->call(call.recipient, call.arguments, limits, cancellation_);
  }

  void begin_round(uint32_t index, ServedModel& model) {
    Choice& choice = choices_[index];
    ChatRequest request = request_;
    request.num_choices = 1;
    request.continuation = choice.turn.continuation();
    request.limits.min_tokens = 0;
    std::optional<uint32_t>& reasoning_budget = request.limits.reasoning_budget_tokens;
    if (reasoning_budget) *reasoning_budget -= std::min(*reasoning_budget, choice.usage.reasoning_tokens);
    // A call that was asked for has been made; and calls end one day.
    if (request.tool_choice.kind != ToolChoice::Kind::kNone) request.tool_choice = {};
    if (request.most_server_calls && choice.num_calls >= *request.most_server_calls) request.built_ins.clear();
    if (choice.num_calls >= service_->options().most_rounds) request.tool_choice.kind = ToolChoice::Kind::kNone;
    HeldTo held = model.constraints().make(request);
    if (held.error) return end(index, Finish::kError, held.error->message);
    request.constraint = std::move(held.constraint);
    if (request.limits.max_tokens > 0) {
      if (choice.usage.completion_tokens >= request.limits.max_tokens) return end(index, Finish::kLength);
      request.limits.max_tokens -= choice.usage.completion_tokens;
    }
    if (request.limits.timeout_seconds > 0) {
      request.limits.timeout_seconds = seconds_left();
      if (request.limits.timeout_seconds <= 0) return end(index, Finish::kDeadline);
    }
    const uint32_t number = choice.num_calls;  // from here on the choice may be the next round's
    Result<std::shared_ptr<Generation>> round = start_round(index, model, request);
    if (!round.ok())
      return end(index, round.error().code == ErrorCode::kTooLong ? Finish::kLength : Finish::kError,
                 round.error().message);
    {
      const std::lock_guard lock(state_mutex_);
      // The round may be over, and others after it: to drop a handle is to cancel its round.
      if (std::exchange(choice.round_number, std::max(choice.round_number, number)) < number) choice.round.swap(*round);
    }
    if (is_cancelled()) cancel();
  }

  Result<std::shared_ptr<Generation>> start_round(uint32_t index, ServedModel& model, const ChatRequest& request) {
    constexpr auto kPause = std::chrono::milliseconds(50);
    const Clock::time_point give_up = after(kBusySeconds);
    for (;;) {
      Result<std::shared_ptr<Generation>> round =
          start_generation(model, request, [self = shared_from_this(), index](const AnswerEvent& event) {
            AnswerEvent mine = event;
            mine.choice = index;
            self->take(index, mine);
          });
      const bool is_full = !round.ok() && round.error().code == ErrorCode::kBusy;
      if (!is_full || Clock::now() > give_up || is_cancelled()) return round;
      std::this_thread::sleep_for(kPause);
    }
  }

  static AnswerEvent call_event(uint32_t index, const ServerCall& call, AnswerEvent::Kind kind) {
    AnswerEvent event;
    event.kind = kind;
    event.choice = index;
    event.call_id = call.id;
    event.name = call.recipient;
    return event;
  }

  void tell(const AnswerEvent& event) {
    const std::lock_guard lock(mutex_);
    if (sink_) sink_(event);
  }

  void end(uint32_t index, Finish finish, std::string error = {}) {
    AnswerEvent event;
    event.choice = index;
    event.finish = finish;
    event.error = std::move(error);
    end(index, std::move(event));
  }

  void end(uint32_t index, AnswerEvent event) {
    Choice& choice = choices_[index];
    choice.ended = true;
    choice.sessions.clear();
    event.kind = AnswerEvent::Kind::kEnd;
    event.usage = choice.usage;
    event.times = choice.times;
    event.times.end_seconds = seconds_since_begin();
    Generation::Sink last;
    {
      const std::lock_guard lock(mutex_);
      if (num_open_ > 1) {
        --num_open_;
        return sink_(event);
      }
      last = std::exchange(sink_, {});
    }
    last(event);
  }

  bool is_cancelled() {
    const std::lock_guard lock(state_mutex_);
    return cancelled_;
  }
  double seconds_since_begin() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }
  double seconds_left() const { return request_.limits.timeout_seconds - seconds_since_begin(); }

  const std::weak_ptr<ServedModel> model_;  // answers must not own it
  ToolService* const service_;
  TurnMemory* const memory_;
  ChatRequest request_;  // as it was, but that the result of an approved call follows its conversation
  const Clock::time_point begun_ = Clock::now();
  tools::Cancellation cancellation_;
  std::atomic<uint32_t> prompt_tokens_{0};

  std::mutex mutex_;  // one event at a time
  Generation::Sink sink_;
  std::vector<Choice> choices_;
  uint32_t num_open_;

  std::mutex state_mutex_;
  std::shared_ptr<Generation> first_;
  bool cancelled_ = false;
};

/// What the client's side holds: its end is theirs.
class Handle final : public Generation {
 public:
  explicit Handle(std::shared_ptr<ToolLoop> loop) : loop_(std::move(loop)) {}
  ~Handle() override { loop_->cancel(); }
  void cancel() override { loop_->cancel(); }
  uint32_t prompt_tokens() const override { return loop_->prompt_tokens(); }

 private:
  const std::shared_ptr<ToolLoop> loop_;
};

}  // namespace

Result<std::shared_ptr<Generation>> start_tool_loop(const ToolLoopParts& parts, ChatRequest request,
                                                    Generation::Sink sink) {
  auto loop = std::make_shared<ToolLoop>(parts, std::move(request), std::move(sink));
  GOS_TRY_STATUS(loop->start(*parts.model));
  return std::shared_ptr<Generation>(std::make_shared<Handle>(std::move(loop)));
}

}  // namespace gossamer::server
