#include "cli/serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/log_writer.h"
#include "cli/output.h"
#include "cli/serving_model.h"
#include "cli/stop_signals.h"
#include "http/http_server.h"
#include "server/access_record.h"
#include "server/answer_constraints.h"
#include "server/engine_source.h"
#include "server/guard.h"
#include "server/ollama_routes.h"
#include "server/responses_service.h"
#include "server/routes.h"
#include "server/tool_service.h"
#include "server/work_line.h"

namespace gossamer::cli {
namespace {

/// Once the time to drain is over, answers that still run are cut short; this is how long their last events may take.
constexpr double kLastEventsSeconds = 3;

/// Writes one line; null where nobody wants it. Called on the engine's thread, too.
std::function<void(const server::AccessRecord&)> access_log(const std::string& format, LogWriter& log) {
  if (format == "off") return {};
  const bool as_text = format.empty() ? isatty(STDERR_FILENO) == 1 : format == "text";
  return [as_text, &log](const server::AccessRecord& record) {
    log.write(as_text ? server::access_line_text(record) : server::access_line_json(record));
  };
}

server::AppOptions app_options_of(const ServeOptions& options, LogWriter& log) {
  server::AppOptions app;
  app.api_keys = options.api_keys;
  if (const char* key = std::getenv("GOSSAMER_API_KEY"); key && *key) app.api_keys.emplace_back(key);
  app.api_key_file = options.api_key_file;
  app.cors_origins = options.cors_origins;
  app.timings = !options.no_timings;
  app.timeout_seconds = options.timeout_seconds;
  app.access_log = access_log(options.log, log);
  return app;
}

/// Null where none are wanted. Errors: one that cannot be started.
Result<std::shared_ptr<const server::ToolServiceOptions>> server_tools(const ServeOptions& options) {
  if (options.tools.empty()) return std::shared_ptr<const server::ToolServiceOptions>();
  auto service = std::make_shared<server::ToolServiceOptions>();
  GOS_TRY(service->tools, options.tool_options.start(options.tools));
  return std::shared_ptr<const server::ToolServiceOptions>(std::move(service));
}

server::ResponsesStoreOptions response_store(const ServeOptions& options, LogWriter& log) {
  server::ResponsesStoreOptions store;
  store.file = options.response_store;
  store.ttl_seconds = 24 * 3600. * options.response_days;
  store.max_bytes = uint64_t{options.response_megabytes} << 20;
  store.on_error = [&log](const Error& error) { log.write(error.message); };
  return store;
}

Result<http::ServerOptions> http_options(const ServeOptions& options) {
  http::ServerOptions http;
  http.host = options.host;
  if (options.port > 65535) return make_error(ErrorCode::kInvalidInput, "{} is no port: 0 to 65535", options.port);
  http.port = static_cast<uint16_t>(options.port);
  http.unix_socket = options.unix_socket;
  http.threads = std::max(options.http_threads, 1u);
  if (options.tls_certificate.empty() != options.tls_key.empty())
    return make_error(ErrorCode::kInvalidInput, "--tls-cert and --tls-key go together");
  if (!options.tls_key.empty()) http.tls = http::TlsFiles{options.tls_certificate, options.tls_key};
  return http;
}

/// Where it is, and how to try it.
std::string greeting(const ServeOptions& options, const std::string& address) {
  const std::string model = options.script.empty() ? options.model.model : "a script";
  std::string target = address + "/v1/chat/completions";
  if (!options.unix_socket.empty())
    target = fmt::format("--unix-socket {} http://localhost/v1/chat/completions", options.unix_socket);
  return fmt::format(
      "gossamer serves {} at {} (loading)\n"
      "  curl {} -d '{{\"messages\": [{{\"role\": \"user\", \"content\": \"What is the capital of France?\"}}]}}'",
      model, address, target);
}

/// Everything that lives while the program serves. Parts end in the right order: answers first, then connections.
class Serving {
 public:
  explicit Serving(const ServeOptions& options) : options_(options) {}
  ~Serving() {
    if (loader_.joinable()) loader_.join();
    if (!app_) return;
    app_->stop_work();
    app_->set_model(nullptr);
  }

  Status start() {
    GOS_TRY_STATUS(check_before_loading(options_));
    server::AppOptions app_options = app_options_of(options_, log_);
    GOS_TRY(app_options.tools, server_tools(options_));
    GOS_TRY(app_, server::App::create(std::move(app_options)));
    server::add_chat_completions_route(*app_);
    server::add_completions_routes(*app_);
    server::add_model_routes(*app_);
    server::add_text_routes(*app_);
    server::add_health_routes(*app_);
    server::add_control_routes(*app_);
    server::add_ollama_routes(*app_);
    GOS_TRY_STATUS(server::add_responses_routes(*app_, response_store(options_, log_)));
    GOS_TRY(http::ServerOptions http, http_options(options_));
    http.on_refusal = [app = app_.get()](const std::string& peer, http::Response& refusal) {
      app->note_refusal(peer, refusal);
    };
    GOS_TRY(server_, http::HttpServer::start(
                         http, [app = app_.get()](std::shared_ptr<http::Exchange> e) { app->handle(std::move(e)); }));
    Output out;
    out.line(greeting(options_, server_->address()));
    loader_ = std::thread([this] { load(); });
    return {};
  }

  /// Until it ends. The exit code.
  int run() {
    for (;;) {
      const std::optional<StopSignals::Signal> signal = signals_.wait();
      if (signal == StopSignals::Signal::kStop) return drain();
      if (signal == StopSignals::Signal::kReload) reload_keys();
      const std::lock_guard lock(mutex_);
      if (failure_) return fail(*failure_);
    }
  }

 private:
  void load() {
    const auto begun = std::chrono::steady_clock::now();
    Result<std::shared_ptr<server::ServedModel>> model = load_served_model(options_, *app_);
    if (!model.ok()) {
      {
        const std::lock_guard lock(mutex_);
        failure_ = model.error();
      }
      return StopSignals::wake();
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begun;
    std::string capacity;
    if (auto* source = dynamic_cast<server::EngineSource*>(&(*model)->source()))
      capacity = "; " + source->engine().capacity();
    fmt::print(stderr, "ready in {:.1f} s as {}{}\n", elapsed.count(), (*model)->name(), capacity);
    warm_up(*model);
    app_->set_model(std::move(*model));
  }

  /// What the first request with tools would wait for, a second with 200,000 tokens, is done before it comes.
  void warm_up(const std::shared_ptr<server::ServedModel>& model) {
    app_->work().post([model] { (void)model->constraints().grammars().warm_up(); });
  }

  void reload_keys() {
    const Status done = app_->guard().reload_keys();
    if (done.ok())
      fmt::print(stderr, "the API keys were read again\n");
    else
      fmt::print(stderr, "the API keys stay as they were: {}\n", done.error().message);
  }

  /// What runs may finish; what does not in time ends with what it has. A second signal ends it all at once.
  int drain() {
    app_->start_draining();
    if (!app_->model()) std::_Exit(kSuccess);  // still loading: there is nothing to lose
    if (!wait_idle(options_.drain_seconds)) {
      app_->abort("");
      wait_idle(kLastEventsSeconds);
    }
    server_->stop_accepting();
    return kSuccess;
  }

  bool wait_idle(double seconds) {
    constexpr double kLookSeconds = 0.05;
    for (double waited = 0; waited <= seconds; waited += kLookSeconds) {
      const bool is_idle = server_->wait_idle(kLookSeconds);
      if (is_idle && !app_->works_in_background()) return true;
      if (signals_.wait(is_idle ? kLookSeconds : 0) == StopSignals::Signal::kStop) std::_Exit(kInterrupted);
    }
    return false;
  }

  const ServeOptions& options_;
  const StopSignals signals_;  // before any thread
  LogWriter log_{STDERR_FILENO};
  std::unique_ptr<server::App> app_;
  std::unique_ptr<http::HttpServer> server_;
  std::thread loader_;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace

int serve(const ServeOptions& options) {
  Serving serving(options);
  const Status started = serving.start();
  return started.ok() ? serving.run() : fail(started.error());
}

}  // namespace gossamer::cli
