#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>

#include "http/event_loop.h"

namespace gossamer::http {

class TlsSession;

/// What came of reading or writing without waiting.
struct IoResult {
  enum class Kind : uint8_t {
    kDone,       ///< `bytes` of them, at least one
    kWantRead,   ///< not now: when the socket can be read
    kWantWrite,  ///< not now: when it can be written
    kEnd,        ///< the other side sends nothing more
    kFailed,     ///< the connection is lost
  };
  Kind kind = Kind::kFailed;
  size_t bytes = 0;
  bool drained = false;  ///< reading: there is most likely nothing more just now
};

/// A connected socket on a loop: TCP or Unix, plain or under TLS.
class Socket {
 public:
  /// Takes `fd`, which is connected, or connecting, and does not block.
  Socket(EventLoop& loop, int fd);
  ~Socket();

  void use_tls(std::unique_ptr<TlsSession> session);
  bool has_tls() const { return tls_ != nullptr; }
  /// Why the handshake failed, in words.
  std::string tls_failure() const;
  /// To be repeated until kDone, before anything is read or written. Plain sockets are done at once.
  IoResult handshake();

  IoResult read(std::span<char> into);
  IoResult write(std::span<const iovec> pieces);
  void wait(Readiness readiness, std::shared_ptr<Pollable> who) { descriptor_.wait(readiness, std::move(who)); }

  /// Says that nothing more will come; what the other side still sends can be read.
  void end_writing();
  void close();
  int fd() const { return descriptor_.fd(); }

 private:
  Descriptor descriptor_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace gossamer::http
