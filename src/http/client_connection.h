#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/http_client.h"
#include "http/outgoing.h"
#include "http/response_reader.h"
#include "http/socket.h"

namespace gossamer::http {

class TlsContext;

/// A request under way.
struct Call {
  HttpClient::CallId id = 0;
  std::string head, body;
  bool is_head = false;
  CallSink sink;
  TimePoint due = kNever;
  bool repeated = false;  ///< on a second connection, because the first had been closed meanwhile
};

struct ServerAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// What a client's connections have in common.
struct ClientTarget {
  Url url;
  ClientOptions options;
  std::vector<ServerAddress> addresses;  ///< tried in this order
  std::shared_ptr<TlsContext> tls;       ///< nullptr: plain
};

class ClientConnection;

/// What connections ask of the client they belong to; on their loop.
class ClientConnectionOwner {
 public:
  virtual ~ClientConnectionOwner() = default;
  virtual const ClientTarget& target() const = 0;
  /// It can be used again.
  virtual void connection_idle(const std::shared_ptr<ClientConnection>& connection) = 0;
  virtual void connection_closed(ClientConnection* connection) = 0;
  virtual void call_ended(HttpClient::CallId call) = 0;
  /// A connection that was kept turned out to be closed: on a new one.
  virtual void repeat(std::unique_ptr<Call> call) = 0;
};

/// A connection to the server, with one call at a time. Lives on one loop.
class ClientConnection final : public Pollable, public Timed, public std::enable_shared_from_this<ClientConnection> {
 public:
  ClientConnection(ClientConnectionOwner& owner, EventLoop& loop) : owner_(owner), loop_(loop) {}

  /// Connects first where it is new.
  void begin(std::unique_ptr<Call> call);
  /// Ends the call, if there is one, and the connection.
  void fail(CallFailure failure, std::string message);

  void on_ready(Readiness readiness) override;
  void on_deadline() override;

 private:
  enum class Phase : uint8_t { kNew, kConnecting, kHandshake, kIdle, kBusy, kClosed };

  void connect();
  void connected();
  void shake_hands();
  void send_request();
  void write_out();
  void read_socket();
  void take_bytes(std::string_view bytes);
  void input_ended();
  void finish_call();
  void lose();
  void close();
  void wait(Readiness readiness);
  void set_deadline();

  ClientConnectionOwner& owner_;
  EventLoop& loop_;
  std::optional<Socket> socket_;
  Phase phase_ = Phase::kNew;
  size_t address_ = 0;
  bool waiting_[3] = {};
  TimePoint connect_due_ = kNever;

  std::unique_ptr<Call> call_;
  std::optional<ResponseReader> reader_;
  std::string unread_;
  Outgoing out_;
  bool used_before_ = false, answer_began_ = false;
};

}  // namespace gossamer::http
