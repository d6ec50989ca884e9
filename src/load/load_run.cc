#include "load/load_run.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "load/api_prefix.h"
#include "load/measured_call.h"
#include "load/request_body.h"
#include "load/schedule.h"

namespace gossamer::load {
namespace {

constexpr double kLookSeconds = 0.05;  // between two calls of the observer

/// One run. Requests are begun by the thread that runs, and, where an answer makes room, by the client's threads.
class LoadRun {
 public:
  LoadRun(http::HttpClient& client, const LoadPlan& plan)
      : client_(client),
        plan_(plan),
        bodies_(plan.request),
        path_(api_prefix(client.url()) + std::string(bodies_.path())),
        schedule_(plan.pace) {}

  LoadResult run(const LoadObserver& observer) {
    begin_due();
    while (!is_over()) {
      wait();
      begin_due();
      if (observer && !observer(progress())) stop();
      if (result_.stopped) cancel_all();
    }
    return std::move(result_);
  }

 private:
  double now() const { return std::chrono::duration<double>(http::Clock::now() - begin_).count(); }

  bool has_room() const { return plan_.pace.concurrency == 0 || running_.size() < plan_.pace.concurrency; }

  bool is_over() {
    const std::lock_guard lock(mutex_);
    const double duration = plan_.pace.duration_seconds;
    const bool no_more =
        result_.stopped || std::isinf(schedule_.next()) || (plan_.pace.rate <= 0 && duration > 0 && now() >= duration);
    return running_.empty() && no_more;
  }

  /// Until the next request is due, the last answer has come, or the observer wants to know.
  void wait() {
    std::unique_lock lock(mutex_);
    double until = now() + kLookSeconds;
    if (plan_.pace.rate > 0 && has_room()) until = std::min(until, schedule_.next());
    idle_.wait_until(lock, begin_ + http::seconds(until),
                     [this] { return running_.empty() && std::isinf(schedule_.next()); });
  }

  void begin_due() {
    std::vector<Begun> due;
    {
      const std::lock_guard lock(mutex_);
      due = take_due();
    }
    for (const Begun& begun : due) send(begun);
  }

  struct Begun {
    std::shared_ptr<MeasuredCall> call;
    uint64_t index = 0;
  };

  /// Those that are due and have room are under way from here on. With the lock.
  std::vector<Begun> take_due() {
    std::vector<Begun> taken;
    while (!result_.stopped && has_room()) {
      const std::optional<double> due = schedule_.take(now());
      if (!due) break;
      auto call = std::make_shared<MeasuredCall>(begin_ + http::seconds(*due), plan_.request.stream, live_events_,
                                                 [this](MeasuredCall& ended) { take(ended); });
      call->record.begin_seconds = *due;
      running_.emplace(call.get(), call);
      taken.push_back({std::move(call), plan_.first_index + num_begun_++});
    }
    return taken;
  }

  /// The run may be over as soon as the request is sent: nothing of it is touched behind that.
  void send(const Begun& begun) {
    http::ClientRequest request;
    request.path = path_;
    request.body = bodies_.body(begun.index);
    request.timeout_seconds = plan_.request.timeout_seconds;
    if (!plan_.request.api_key.empty()) request.headers.add("Authorization", "Bearer " + plan_.request.api_key);
    begun.call->id = client_.send(std::move(request), begun.call->sink());
  }

  /// An answer has ended; on a thread of the client. The run may be over when the lock is free, but where another
  /// request was begun.
  void take(MeasuredCall& call) {
    std::vector<Begun> due;
    {
      const std::lock_guard lock(mutex_);
      result_.tally.add(call.record, call.gaps_ms, call.error_message);
      result_.records.push_back(std::move(call.record));
      result_.wall_seconds = now();
      running_.erase(&call);
      due = take_due();
      if (running_.empty()) idle_.notify_all();
    }
    for (const Begun& begun : due) send(begun);
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    result_.stopped = true;
  }

  /// Again and again while calls are left: one may just be about to get its id.
  void cancel_all() {
    std::vector<http::HttpClient::CallId> ids;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, call] : running_)
        if (const auto id = call->id.load(); id != MeasuredCall::kNotSent) ids.push_back(id);
    }
    for (const http::HttpClient::CallId id : ids) client_.cancel(id);
  }

  LoadProgress progress() {
    const std::lock_guard lock(mutex_);
    LoadProgress progress;
    progress.seconds = now();
    progress.begun = num_begun_;
    progress.ended = result_.records.size();
    progress.failed = result_.tally.failed;
    progress.events = live_events_.load(std::memory_order_relaxed);
    progress.requests = plan_.pace.requests;
    progress.duration_seconds = plan_.pace.duration_seconds;
    return progress;
  }

  http::HttpClient& client_;
  const LoadPlan& plan_;
  const RequestBodies bodies_;
  const std::string path_;
  const http::TimePoint begin_ = http::Clock::now();
  std::atomic<uint64_t> live_events_{0};

  std::mutex mutex_;  // guards all below
  std::condition_variable idle_;
  Schedule schedule_;
  uint64_t num_begun_ = 0;
  std::unordered_map<const MeasuredCall*, std::shared_ptr<MeasuredCall>> running_;
  LoadResult result_;
};

}  // namespace

void LoadResult::append(const LoadResult& later) {
  for (RequestRecord record : later.records) {
    record.begin_seconds += wall_seconds;
    records.push_back(std::move(record));
  }
  wall_seconds += later.wall_seconds;
  stopped |= later.stopped;
  tally.add(later.tally);
}

LoadResult run_load(http::HttpClient& client, const LoadPlan& plan, const LoadObserver& observer) {
  return LoadRun(client, plan).run(observer);
}

}  // namespace gossamer::load
