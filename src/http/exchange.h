#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gossamer::http {

/// Header fields in the order in which they came; names compare without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// The first field of that name; nullptr: none.
  const std::string* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// A request, read whole. Its body is bytes: nobody has looked at them.
struct Request {
  std::string method;  ///< "GET"
  std::string path;    ///< "/v1/models/gpt-oss-20b": without the query, %-escapes decoded
  std::string query;   ///< "starting_after=5": as it came, without the question mark
  Headers headers;
  std::string body;
  std::string peer;  ///< "127.0.0.1:51234", "unix"
};

/// An answer that is there at once. Content-Length, Date and Connection are the transport's.
struct Response {
  unsigned status = 200;
  Headers headers = {};  ///< Content-Type among them
  std::string body = {};
};

/// What a stream that says nothing for a while sends, so that proxies and clients do not give up.
struct StreamOptions {
  std::string idle_bytes = {};  ///< ": keep-alive\n\n" for server-sent events; empty: nothing
  double idle_seconds = 15;     ///< silence after which idle_bytes go out, again and again
};

/// One request and its answer: exactly one respond(), or one begin_stream(), writes and one end(). All of it may be
/// called on any thread and none of it blocks; what is called after the end, or after the client has gone, does
/// nothing. The last owner that lets go of an exchange without an answer leaves the client a 500.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;

  virtual void respond(Response response) = 0;

  /// Status line and headers of an answer that comes piece by piece (chunked; to HTTP/1.0 until the end of the
  /// connection).
  virtual void begin_stream(unsigned status, Headers headers, StreamOptions options) = 0;
  /// Bytes of the stream, in order. They wait in this exchange's own ring while the client is slow to read; pieces that
  /// wait go out together. False: nobody will read them, because the client has gone, or has left the ring full for too
  /// long (then its connection is closed, and on_gone is told).
  virtual bool write(std::string bytes) = 0;
  virtual void end() = 0;

  /// `callback` is called once, on a thread of the transport, if the client goes before the end; at once where it
  /// already has. It must not block. Several may be given, each is called. A client that has closed its socket without
  /// a reset is only told from one that still waits when something is sent to it: the transport does that itself
  /// (docs/server.md), but for streams that have begun and have no idle_bytes.
  virtual void on_gone(std::function<void()> callback) = 0;
};

/// Answers requests, on threads of the transport: it must not block for long.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace gossamer::http
