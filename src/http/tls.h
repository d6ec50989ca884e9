#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "http/http_server.h"
#include "http/socket.h"

namespace gossamer::http {

/// What connections under TLS have in common: keys, versions (1.2 and 1.3), which certificates are believed.
class TlsContext {
 public:
  /// Errors: a file that cannot be read, a key that is not the certificate's.
  static Result<std::shared_ptr<TlsContext>> for_server(const TlsFiles& files);
  /// `verify`: believe only certificates that the system's, or those of `authorities` (a PEM file), vouch for.
  static Result<std::shared_ptr<TlsContext>> for_client(bool verify, const std::string& authorities);
  ~TlsContext();

 private:
  friend class TlsSession;
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// TLS on one socket that does not block.
class TlsSession {
 public:
  /// `host`: of clients, what the certificate must be for.
  TlsSession(const TlsContext& context, int fd, const std::string& host = "");
  ~TlsSession();

  IoResult handshake();
  IoResult read(std::span<char> into);
  /// Where it is repeated after kWantWrite, the pieces begin with the same bytes.
  IoResult write(std::span<const iovec> pieces);
  void end_writing();
  /// Why the handshake failed, in words; empty: it did not.
  std::string failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::http
