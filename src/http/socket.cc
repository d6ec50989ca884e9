#include "http/socket.h"

#include <sys/socket.h>

#include <cerrno>

#include "http/tls.h"

namespace gossamer::http {

Socket::Socket(EventLoop& loop, int fd) : descriptor_(loop, fd) {}

Socket::~Socket() = default;

void Socket::use_tls(std::unique_ptr<TlsSession> session) {
  tls_ = std::move(session);
}

std::string Socket::tls_failure() const {
  return tls_ ? tls_->failure() : "";
}

IoResult Socket::handshake() {
  return tls_ ? tls_->handshake() : IoResult{.kind = IoResult::Kind::kDone};
}

IoResult Socket::read(std::span<char> into) {
  if (tls_) return tls_->read(into);
  ssize_t count;
  do count = ::recv(fd(), into.data(), into.size(), 0);
  while (count < 0 && errno == EINTR);
  if (count > 0) {
    const auto bytes = static_cast<size_t>(count);
    return {.kind = IoResult::Kind::kDone, .bytes = bytes, .drained = bytes < into.size()};
  }
  if (count == 0) return {.kind = IoResult::Kind::kEnd};
  return {.kind = errno == EAGAIN || errno == EWOULDBLOCK ? IoResult::Kind::kWantRead : IoResult::Kind::kFailed};
}

IoResult Socket::write(std::span<const iovec> pieces) {
  if (tls_) return tls_->write(pieces);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  ssize_t count;
  do count = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  if (count >= 0) return {.kind = IoResult::Kind::kDone, .bytes = static_cast<size_t>(count)};
  return {.kind = errno == EAGAIN || errno == EWOULDBLOCK ? IoResult::Kind::kWantWrite : IoResult::Kind::kFailed};
}

void Socket::end_writing() {
  if (tls_) tls_->end_writing();
  ::shutdown(fd(), SHUT_WR);
}

void Socket::close() {
  descriptor_.close();
}

}  // namespace gossamer::http
