#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/tenant_fairness.h"
#include "http/exchange.h"
#include "server/served_model.h"

namespace gossamer::server {

struct Call;
class Generation;
class Guard;
class Metrics;
class ToolService;
class TurnMemory;
class WorkLine;
struct AccessRecord;
struct ToolServiceOptions;

using Route = std::function<void(const std::shared_ptr<Call>&)>;

/// What of the server is set when it starts.
struct AppOptions {
  std::vector<std::string> api_keys;                    ///< texts; see ApiKeys
  std::string api_key_file;                             ///< lines of SHA-256, reread when it changes; empty: none
  std::vector<std::string> cors_origins;                ///< "https://chat.example", or "*"; empty: closed
  bool timings = true;                                  ///< `ttft` and `timings` in answers
  double timeout_seconds = 0;                           ///< of a request; 0: none
  uint32_t max_tokens_default = 0;                      ///< of chats that name no limit; 0: to the end of the context
  std::function<void(const AccessRecord&)> access_log;  ///< called when an answer is complete; empty: none
  std::shared_ptr<const ToolServiceOptions> tools;      ///< that the server runs itself; null: none
};

/// The server between transport and engine: routes, guard, the model. Answers from the first moment, with 503 until
/// the model is there.
class App {
 public:
  /// Errors: the file of keys cannot be read.
  static Result<std::unique_ptr<App>> create(AppOptions options);
  ~App();

  /// What HttpServer calls.
  void handle(std::shared_ptr<http::Exchange> exchange);
  /// Likewise, with what it refuses by itself (a malformed head, a body that is too large): gives it an x-request-id,
  /// counts it and notes it for the log.
  void note_refusal(const std::string& peer, http::Response& refusal);

  /// `pattern`: "/v1/models/{id}"; a parameter is one segment, {id...} all that follow. HEAD goes where GET goes.
  void add_route(std::string method, std::string_view pattern, Route route);

  const AppOptions& options() const { return options_; }
  Metrics& metrics() { return *metrics_; }
  Guard& guard() { return *guard_; }
  /// What takes too long for the thread that handles a request.
  WorkLine& work() { return *work_; }
  /// Ends that: what has begun is waited for, the rest is dropped. Before the transport ends.
  void stop_work();
  /// Null: the server runs no tools.
  ToolService* tool_service() { return tool_service_.get(); }
  TurnMemory& turn_memory() { return *turn_memory_; }

  /// Null: not loaded yet.
  std::shared_ptr<ServedModel> model() const;
  void set_model(std::shared_ptr<ServedModel> model);
  /// 0 to 1, while the model loads.
  void set_loading(double fraction) { loading_ = fraction; }
  /// In percent; it is 100 only when there is a model.
  unsigned loading_percent() const { return std::min(99u, static_cast<unsigned>(100 * loading_)); }

  /// Readiness goes off; work that comes from now on is refused with 503, what runs goes on.
  void start_draining() { draining_ = true; }
  bool draining() const { return draining_; }

  /// Answers under way, by request id and by the id of the answer: what /abort finds.
  void add_running(const std::string& id, TenantId tenant, std::weak_ptr<Generation> generation,
                   bool in_background = false);
  /// Cancels them; how many there were of that id. Empty: all. `tenant`: only what he has asked for.
  size_t abort(const std::string& id, std::optional<TenantId> tenant = std::nullopt);
  /// Answers are being made for which no connection waits.
  bool works_in_background() const;

 private:
  explicit App(AppOptions options);
  struct RouteEntry;
  void dispatch(const std::shared_ptr<Call>& call);
  void finished(const AccessRecord& record);
  void remove_running(const AccessRecord& record);
  void run_route(const RouteEntry& route, const std::shared_ptr<Call>& call);
  void run_later(const RouteEntry& route, const std::shared_ptr<Call>& call);

  const AppOptions options_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<WorkLine> work_;   // grammars to be compiled
  std::unique_ptr<WorkLine> large_;  // requests whose bodies are large
  std::unique_ptr<TurnMemory> turn_memory_;
  std::unique_ptr<ToolService> tool_service_;
  std::vector<RouteEntry> routes_;
  mutable std::mutex mutex_;
  std::shared_ptr<ServedModel> model_;
  struct Running {
    TenantId tenant = 0;
    std::weak_ptr<Generation> generation;
    bool in_background = false;
  };
  std::unordered_multimap<std::string, Running> running_;
  size_t num_running_after_sweep_ = 0;
  std::atomic<double> loading_{0};
  std::atomic<bool> draining_{false};
};

}  // namespace gossamer::server
