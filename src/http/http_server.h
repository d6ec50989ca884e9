#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "http/exchange.h"

namespace gossamer::http {

/// Certificate chain and private key, PEM files.
struct TlsFiles {
  std::string certificate, key;
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< an address or a name
  uint16_t port = 8000;            ///< 0: one that is free
  std::string unix_socket = {};  ///< a path, for this user only (0600); where given, host and port are not listened to
  std::optional<TlsFiles> tls = std::nullopt;
  unsigned threads = 1;  ///< that read, write and call the handler

  // Who sends more, or slower, is answered (431, 413, 503, 408) where that is possible, and loses the connection.
  uint64_t max_header_bytes = 32u << 10;
  uint64_t max_body_bytes = 32u << 20;  ///< counted as it comes, whatever the headers say
  /// Bodies of all requests together, from their first byte to the end of their answers.
  uint64_t max_bodies_bytes = 512u << 20;
  double header_seconds = 10;      ///< from the first byte of a request to the end of its headers
  double body_seconds = 60;        ///< to the end of its body
  double idle_seconds = 120;       ///< between requests
  double stall_seconds = 30;       ///< a client that reads nothing while its ring is full
  uint64_t ring_bytes = 1u << 20;  ///< of each stream; a burst may bring four times as much

  /// Called with the client's address and each answer that the transport gives in place of the handler, before it goes
  /// out: adds headers, counts, logs. On the connection's loop; must not block. Empty: none.
  std::function<void(const std::string& peer, Response& refusal)> on_refusal = {};
};

/// HTTP/1.1 (and 1.0) over TCP, TLS or a Unix socket: keep-alive, pipelining, chunked bodies both ways, Expect:
/// 100-continue. What could be read in two ways is refused with 400 and the connection closed: Content-Length with
/// Transfer-Encoding, several lengths, a space before a colon, bare line feeds (RFC 9112, sections 6.3 and 11.2).
/// Everything else about a request, methods and paths too, is the handler's.
class HttpServer {
 public:
  /// Listens, and answers from then on. Errors: the address is taken or not ours, the certificate cannot be read.
  static Result<std::unique_ptr<HttpServer>> start(const ServerOptions& options, Handler handler);
  /// Closes what is open.
  ~HttpServer();

  uint16_t port() const;  ///< 0 on a Unix socket
  /// "http://127.0.0.1:8000", "unix:/run/gossamer.sock".
  std::string address() const;

  uint64_t num_connections() const;
  /// Takes no more connections, and closes each that is there as soon as its answer is out.
  void stop_accepting();
  /// Waits until no exchange is under way, at most so long; true: none is.
  bool wait_idle(double seconds);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::http
