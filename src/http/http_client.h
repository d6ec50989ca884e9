#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/exchange.h"
#include "http/url.h"

namespace gossamer::http {

struct ClientOptions {
  unsigned threads = 1;          ///< that connections are spread over
  double connect_seconds = 10;   ///< to the end of the TLS handshake
  bool verify_tls = true;        ///< false: any certificate will do
  std::string authorities = {};  ///< a PEM file of certificates to believe instead of the system's
  /// Asked of each address that the name has; others are never connected to. Empty: all are allowed.
  std::function<bool(const sockaddr_storage&)> allows_address = {};
};

struct ClientRequest {
  std::string method = "POST";
  std::string path;  ///< below the client's URL: "/chat/completions"
  Headers headers =
      {};  ///< Host and Content-Length are added; so is Content-Type, application/json, where there is a body
  std::string body = {};
  double timeout_seconds = 0;  ///< from send() to the end of the answer; 0: none
};

/// Why there was no answer, or no whole one.
enum class CallFailure : uint8_t {
  kConnect,       ///< no connection: refused, unreachable, not in time
  kTls,           ///< no agreement, or a certificate that is not believed
  kTimeout,       ///< the request's own
  kDisconnected,  ///< in the middle
  kMalformed,     ///< what came is not HTTP
  kCancelled,
};
const char* to_string(CallFailure failure);  ///< "connect", "timeout" ...

struct CallEnd {
  std::optional<CallFailure> failure;  ///< nothing: the answer came whole, whatever its status
  std::string message;                 ///< of a failure: one sentence
};

/// What happens to a request, in this order: on_head once, on_body as bytes arrive, on_end exactly once, always. On a
/// thread of the client; they must not block, and may send and cancel.
struct CallSink {
  std::function<void(unsigned status, const Headers& headers)> on_head = nullptr;
  std::function<void(std::string_view bytes)> on_body = nullptr;
  std::function<void(const CallEnd& end)> on_end = nullptr;
};

/// A client of one server: any number of requests at once, each on a connection of its own, which is kept for the next.
class HttpClient {
 public:
  /// Errors: a URL that is none, a host without an address (or without one that is allowed), certificates that cannot
  /// be read.
  static Result<std::unique_ptr<HttpClient>> create(std::string_view url, const ClientOptions& options = {});
  /// Cancels what is under way, and waits for its on_end.
  ~HttpClient();

  using CallId = uint64_t;
  /// Any thread.
  CallId send(ClientRequest request, CallSink sink);
  /// Any thread: its on_end follows soon, with kCancelled where it has not ended already. The connection is closed,
  /// which is how the server learns of it.
  void cancel(CallId call);

  /// Waits for the whole answer. Not on a thread of the client.
  Result<Response> fetch(ClientRequest request);

  const Url& url() const;
  /// Connections that are open, idle ones too.
  uint64_t num_connections() const;

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::http
