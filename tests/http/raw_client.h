#pragma once

#include <string>
#include <string_view>

#include "http/http_server.h"
#include "http/unique_fd.h"

namespace gossamer::http {

/// A client that says exactly what it is told to, and blocks.
class RawClient {
 public:
  /// Connects to where `server` listens, without TLS.
  explicit RawClient(const HttpServer& server);

  bool connected() const { return fd_.ok(); }
  int fd() const { return fd_.get(); }
  /// False: the other side has closed.
  bool send(std::string_view bytes);
  void half_close();
  void close() { fd_ = UniqueFd(); }
  /// Ends the connection with a reset.
  void reset();

  /// What comes until `text` has come, the connection ends, or so much time has passed.
  std::string read_until(std::string_view text, double timeout_seconds = 5);
  /// What comes until the connection ends.
  std::string read_to_end(double timeout_seconds = 5);
  /// One response with Content-Length, or chunked; its head and body as they came.
  std::string read_response(double timeout_seconds = 5);
  /// The last read found the end of the connection.
  bool ended() const { return ended_; }

 private:
  bool read_more(double deadline);
  std::string take(size_t size);

  UniqueFd fd_;
  std::string buffer_;
  bool ended_ = false;
};

/// The status of a response, 0: it is none.
unsigned status_of(std::string_view response);
/// What follows the head.
std::string_view body_of(std::string_view response);

}  // namespace gossamer::http
