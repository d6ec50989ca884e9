#include "http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace gossamer::http {

namespace {

constexpr int kMaxAccepts = 64;  // before others on the loop have their turn
constexpr double kPauseSeconds = 0.1;

std::string peer_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  return "unix";
}

/// Tokens go out as they come, and a machine that was switched off is noticed.
void set_tcp_options(int fd) {
  const int on = 1, idle_seconds = 60, interval_seconds = 15, probes = 4;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof(interval_seconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd fd, std::function<bool()> has_room,
                   std::function<void(UniqueFd, std::string)> accept)
    : loop_(loop), descriptor_(loop, fd.release()), has_room_(std::move(has_room)), accept_(std::move(accept)) {}

void Listener::start() {
  if (descriptor_.fd() >= 0) descriptor_.wait(Readiness::kRead, shared_from_this());
}

void Listener::close() {
  loop_.remove_deadline(*this);
  descriptor_.close();
}

/// Until connections have been closed; they wait in the kernel.
void Listener::pause() {
  loop_.set_deadline(*this, Clock::now() + seconds(kPauseSeconds));
}

void Listener::on_ready(Readiness readiness) {
  if (readiness == Readiness::kBroken) return pause();
  for (int i = 0; i < kMaxAccepts && descriptor_.fd() >= 0; ++i) {
    if (!has_room_()) return pause();
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    UniqueFd fd(
        ::accept4(descriptor_.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.ok()) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return pause();
      continue;  // it went before it was accepted
    }
    if (address.ss_family != AF_UNIX) set_tcp_options(fd.get());
    accept_(std::move(fd), peer_of(address));
  }
  start();
}

}  // namespace gossamer::http
