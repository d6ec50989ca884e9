#include "http/http_client.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <unordered_map>
#include <vector>

#include "http/client_connection.h"
#include "http/event_loop.h"
#include "http/file_limit.h"
#include "http/response_head.h"
#include "http/tls.h"

namespace gossamer::http {

namespace {

Result<std::vector<ServerAddress>> resolve(const Url& url) {
  std::vector<ServerAddress> addresses;
  if (!url.unix_socket.empty()) {
    ServerAddress address;
    auto& name = reinterpret_cast<sockaddr_un&>(address.storage);
    if (url.unix_socket.size() >= sizeof(name.sun_path))
      return make_error(ErrorCode::kInvalidInput, "the path of a Unix socket may have {} bytes, {} has {}",
                        sizeof(name.sun_path) - 1, url.unix_socket, url.unix_socket.size());
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, url.unix_socket.data(), url.unix_socket.size());
    address.size = sizeof(name);
    addresses.push_back(address);
    return addresses;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found); error != 0)
    return make_error(ErrorCode::kNotFound, "cannot find {}: {}", url.host, gai_strerror(error));
  for (const addrinfo* each = found; each; each = each->ai_next) {
    ServerAddress address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

std::string format_request_head(const Url& url, const ClientRequest& request) {
  std::string head = fmt::format("{} {}{} HTTP/1.1\r\n", request.method, url.path, request.path);
  append_field(head, "Host", url.authority());
  if (!request.body.empty() || request.method == "POST")
    append_field(head, "Content-Length", std::to_string(request.body.size()));
  if (!request.body.empty() && !request.headers.find("Content-Type"))
    append_field(head, "Content-Type", "application/json");
  for (const auto& [name, value] : request.headers.fields())
    if (!is_transport_field(name)) append_field(head, name, value);
  return head.append("\r\n");
}

/// One loop, its connections and their calls.
class ClientWorker final : public ClientConnectionOwner {
 public:
  ClientWorker(const ClientTarget& target, std::atomic<uint64_t>& num_connections)
      : target_(target), num_connections_(num_connections) {}

  EventLoop& loop() { return loop_; }

  // On the loop.

  void begin(std::unique_ptr<Call> call) {
    if (closing_) {
      if (call->sink.on_end) call->sink.on_end({CallFailure::kCancelled, "the client is being closed"});
      return;
    }
    std::shared_ptr<ClientConnection> connection;
    if (idle_.empty()) {
      connection = add_connection();
    } else {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    calls_[call->id] = connection;
    connection->begin(std::move(call));
  }
  void cancel(HttpClient::CallId id) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto connection = found->second;
    connection->fail(CallFailure::kCancelled, "cancelled");
  }
  void close_all() {
    closing_ = true;
    std::vector<std::shared_ptr<ClientConnection>> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->fail(CallFailure::kCancelled, "cancelled");
  }

  const ClientTarget& target() const override { return target_; }
  void connection_idle(const std::shared_ptr<ClientConnection>& connection) override { idle_.push_back(connection); }
  void connection_closed(ClientConnection* connection) override {
    std::erase_if(idle_, [&](const auto& idle) { return idle.get() == connection; });
    if (connections_.erase(connection) > 0) --num_connections_;
  }
  void call_ended(HttpClient::CallId id) override { calls_.erase(id); }
  void repeat(std::unique_ptr<Call> call) override {
    const auto connection = add_connection();
    calls_[call->id] = connection;
    connection->begin(std::move(call));
  }

 private:
  std::shared_ptr<ClientConnection> add_connection() {
    auto connection = std::make_shared<ClientConnection>(*this, loop_);
    connections_.emplace(connection.get(), connection);
    ++num_connections_;
    return connection;
  }

  const ClientTarget& target_;
  std::atomic<uint64_t>& num_connections_;
  EventLoop loop_;
  bool closing_ = false;
  std::unordered_map<ClientConnection*, std::shared_ptr<ClientConnection>> connections_;
  std::vector<std::shared_ptr<ClientConnection>> idle_;
  std::unordered_map<HttpClient::CallId, std::shared_ptr<ClientConnection>> calls_;
};

}  // namespace

const char* to_string(CallFailure failure) {
  switch (failure) {
    case CallFailure::kConnect:
      return "connect";
    case CallFailure::kTls:
      return "tls";
    case CallFailure::kTimeout:
      return "timeout";
    case CallFailure::kDisconnected:
      return "disconnected";
    case CallFailure::kMalformed:
      return "malformed";
    case CallFailure::kCancelled:
      return "cancelled";
  }
  return "";
}

struct HttpClient::Impl {
  ClientTarget target;
  std::atomic<uint64_t> num_connections{0};
  std::atomic<CallId> next_call{0};
  std::vector<std::unique_ptr<ClientWorker>> workers;

  ClientWorker& worker_of(CallId call) { return *workers[call % workers.size()]; }
};

Result<std::unique_ptr<HttpClient>> HttpClient::create(std::string_view url, const ClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  GOS_TRY(impl->target.url, parse_url(url));
  impl->target.options = options;
  GOS_TRY(impl->target.addresses, resolve(impl->target.url));
  if (options.allows_address)
    std::erase_if(impl->target.addresses,
                  [&](const ServerAddress& address) { return !options.allows_address(address.storage); });
  if (impl->target.addresses.empty())
    return make_error(ErrorCode::kUnsupported, "{} has no address that may be connected to", impl->target.url.host);
  if (impl->target.url.tls) {
    GOS_TRY(impl->target.tls, TlsContext::for_client(options.verify_tls, options.authorities));
  }
  raise_file_limit();
  for (unsigned i = 0; i < std::max(1u, options.threads); ++i)
    impl->workers.push_back(std::make_unique<ClientWorker>(impl->target, impl->num_connections));
  for (const auto& worker : impl->workers) worker->loop().start();
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpClient::~HttpClient() {
  for (const auto& worker : impl_->workers) worker->loop().post([&worker] { worker->close_all(); });
  for (const auto& worker : impl_->workers) worker->loop().stop();
}

HttpClient::CallId HttpClient::send(ClientRequest request, CallSink sink) {
  auto call = std::make_shared<std::unique_ptr<Call>>(std::make_unique<Call>());
  const CallId id = (*call)->id = impl_->next_call++;
  (*call)->head = format_request_head(impl_->target.url, request);
  (*call)->is_head = request.method == "HEAD";
  (*call)->body = std::move(request.body);
  (*call)->sink = std::move(sink);
  if (request.timeout_seconds > 0) (*call)->due = Clock::now() + seconds(request.timeout_seconds);
  ClientWorker& worker = impl_->worker_of(id);
  worker.loop().post([&worker, call] { worker.begin(std::move(*call)); });
  return id;
}

void HttpClient::cancel(CallId call) {
  ClientWorker& worker = impl_->worker_of(call);
  worker.loop().post([&worker, call] { worker.cancel(call); });
}

Result<Response> HttpClient::fetch(ClientRequest request) {
  Response response;
  std::promise<CallEnd> ended;
  send(std::move(request), {.on_head =
                                [&](unsigned status, const Headers& headers) {
                                  response.status = status;
                                  response.headers = headers;
                                },
                            .on_body = [&](std::string_view bytes) { response.body += bytes; },
                            .on_end = [&](const CallEnd& end) { ended.set_value(end); }});
  const CallEnd end = ended.get_future().get();
  if (end.failure)
    return make_error(ErrorCode::kIo, "{} {}: {}", url().authority(), to_string(*end.failure), end.message);
  return response;
}

const Url& HttpClient::url() const {
  return impl_->target.url;
}

uint64_t HttpClient::num_connections() const {
  return impl_->num_connections;
}

}  // namespace gossamer::http
