#include "http/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "http/connection.h"
#include "http/event_loop.h"
#include "http/file_limit.h"
#include "http/listener.h"
#include "http/listening_sockets.h"
#include "http/refusal.h"
#include "http/tls.h"

namespace gossamer::http {

namespace {

/// Files that the rest of the program needs, whatever the number of connections.
constexpr uint64_t kReservedFiles = 128;

/// How many exchanges are under way, and waiting for none.
class ExchangeCount {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void remove() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  bool wait_zero(double timeout_seconds) {
    std::unique_lock lock(mutex_);
    return zero_.wait_for(lock, seconds(timeout_seconds), [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  uint64_t count_ = 0;
};

/// What all loops share.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<TlsContext> tls;
  uint64_t max_connections = 0;
  std::atomic<uint64_t> num_connections{0};
  std::atomic<uint64_t> body_bytes{0};
  std::atomic<bool> draining{false};
  ExchangeCount exchanges;
};

/// One loop and its connections.
class Worker final : public ConnectionOwner {
 public:
  explicit Worker(Shared& shared) : shared_(shared) {}

  const std::shared_ptr<EventLoop>& loop() const { return loop_; }

  // On the loop.

  void add(UniqueFd fd, std::string peer) {
    if (shared_.draining) {
      --shared_.num_connections;
      return;
    }
    const int number = fd.get();
    auto connection = std::make_shared<Connection>(*this, loop_, fd.release(), std::move(peer));
    if (shared_.tls) connection->use_tls(std::make_unique<TlsSession>(*shared_.tls, number));
    connections_.emplace(connection.get(), connection);
    connection->start();
  }
  void drain() {
    for (const auto& connection : all_connections()) connection->drain();
  }
  void close_all() {
    for (const auto& connection : all_connections()) connection->close();
  }

  const ServerOptions& options() const override { return shared_.options; }
  bool is_draining() const override { return shared_.draining; }
  void exchange_begun() override { shared_.exchanges.add(); }
  void exchange_done() override { shared_.exchanges.remove(); }
  bool take_body_room(uint64_t bytes) override {
    if (shared_.body_bytes.fetch_add(bytes) + bytes <= shared_.options.max_bodies_bytes) return true;
    shared_.body_bytes -= bytes;
    return false;
  }
  void give_body_room(uint64_t bytes) override { shared_.body_bytes -= bytes; }
  void handle(std::shared_ptr<Exchange> exchange) override {
    try {
      shared_.handler(std::move(exchange));
    } catch (...) {  // the exchange that it dropped is answered with 500
    }
  }
  void connection_closed(Connection* connection) override {
    if (connections_.erase(connection) > 0) --shared_.num_connections;
  }

 private:
  std::vector<std::shared_ptr<Connection>> all_connections() const {
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(connections_.size());
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    return all;
  }

  Shared& shared_;
  const std::shared_ptr<EventLoop> loop_ = std::make_shared<EventLoop>();
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
};

}  // namespace

struct HttpServer::Impl {
  Shared shared;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::unique_ptr<UnixSocketFile> file;
  uint16_t port = 0;
  size_t next_worker = 0;  // on the first loop

  void listen(ListeningSockets sockets) {
    port = sockets.port;
    file = std::move(sockets.file);
    for (UniqueFd& fd : sockets.fds)
      listeners.push_back(std::make_shared<Listener>(
          *workers[0]->loop(), std::move(fd), [this] { return shared.num_connections < shared.max_connections; },
          [this](UniqueFd accepted, std::string peer) { accept(std::move(accepted), std::move(peer)); }));
  }

  void accept(UniqueFd fd, std::string peer) {
    ++shared.num_connections;
    Worker& worker = *workers[next_worker++ % workers.size()];
    if (&worker == workers[0].get()) return worker.add(std::move(fd), std::move(peer));
    worker.loop()->post([&worker, number = std::make_shared<UniqueFd>(std::move(fd)),
                         peer = std::move(peer)]() mutable { worker.add(std::move(*number), std::move(peer)); });
  }

  void start() {
    for (const auto& worker : workers) worker->loop()->start();
    workers[0]->loop()->post([this] {
      for (const auto& listener : listeners) listener->start();
    });
  }

  void stop_listening() {
    workers[0]->loop()->post([this] {
      for (const auto& listener : listeners) listener->close();
    });
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerOptions& options, Handler handler) {
  auto impl = std::make_unique<Impl>();
  impl->shared.options = options;
  impl->shared.handler = std::move(handler);
  const uint64_t file_limit = raise_file_limit();
  impl->shared.max_connections = file_limit - std::min(file_limit / 2, kReservedFiles);
  if (options.tls) {
    GOS_TRY(impl->shared.tls, TlsContext::for_server(*options.tls));
  }
  for (unsigned i = 0; i < std::max(1u, options.threads); ++i)
    impl->workers.push_back(std::make_unique<Worker>(impl->shared));
  GOS_TRY(ListeningSockets sockets,
          options.unix_socket.empty() ? listen_tcp(options.host, options.port) : listen_unix(options.unix_socket));
  impl->listen(std::move(sockets));
  impl->start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->shared.draining = true;
  impl_->stop_listening();
  for (const auto& worker : impl_->workers) worker->loop()->post([&worker] { worker->close_all(); });
  for (const auto& worker : impl_->workers) worker->loop()->stop();
}

uint16_t HttpServer::port() const {
  return impl_->port;
}

std::string HttpServer::address() const {
  const ServerOptions& options = impl_->shared.options;
  if (!options.unix_socket.empty()) return "unix:" + options.unix_socket;
  const bool v6 = options.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", options.tls ? "https" : "http", v6 ? "[" : "", options.host, v6 ? "]" : "",
                     port());
}

uint64_t HttpServer::num_connections() const {
  return impl_->shared.num_connections;
}

void HttpServer::stop_accepting() {
  impl_->shared.draining = true;
  impl_->stop_listening();
  for (const auto& worker : impl_->workers) {
    impl_->shared.exchanges.add();  // so that wait_idle() waits for the requests that draining finds
    worker->loop()->post([this, &worker] {
      worker->drain();
      impl_->shared.exchanges.remove();
    });
  }
}

bool HttpServer::wait_idle(double timeout_seconds) {
  return impl_->shared.exchanges.wait_zero(timeout_seconds);
}

}  // namespace gossamer::http
