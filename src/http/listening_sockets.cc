#include "http/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace gossamer::http {

namespace {

constexpr int kBacklog = 4096;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), "0", &hints, &found); error != 0)
    return make_error(ErrorCode::kNotFound,
                      "cannot listen on {}: {}; give an address of this machine, such as 127.0.0.1", host,
                      gai_strerror(error));
  return Addresses(found, &freeaddrinfo);
}

void set_port(sockaddr* address, uint16_t port) {
  if (address->sa_family == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

Error cannot_listen(const std::string& host, uint16_t port) {
  const int error = errno;
  const char* const advice = error == EADDRINUSE
                                 ? "; another program listens there: give another port, or 0 for a free one"
                             : error == EACCES        ? "; ports below 1024 need privileges"
                             : error == EADDRNOTAVAIL ? "; the address is not one of this machine"
                                                      : "";
  return make_error(ErrorCode::kIo, "cannot listen on {} port {}: {}{}", host, port, std::strerror(error), advice);
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return make_error(ErrorCode::kInvalidInput,
                      "the path of a Unix socket may have {} bytes, {} has {}; give a shorter one",
                      sizeof(address.sun_path) - 1, path, path.size());
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// Somebody accepts connections there.
bool is_alive(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN;
}

Status remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode))
    return make_error(ErrorCode::kInvalidInput,
                      "cannot listen on {}: it is a file, not a socket; remove it or give another path", path);
  if (is_alive(address))
    return make_error(ErrorCode::kIo, "cannot listen on {}: another server does; stop it or give another path", path);
  ::unlink(path.c_str());
  return {};
}

}  // namespace

UnixSocketFile::UnixSocketFile(std::string path) : path_(std::move(path)) {
  struct stat file{};
  if (::lstat(path_.c_str(), &file) != 0) return;
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

UnixSocketFile::~UnixSocketFile() {
  struct stat file{};
  if (::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) ::unlink(path_.c_str());
}

Result<ListeningSockets> listen_tcp(const std::string& host, uint16_t port) {
  GOS_TRY(const Addresses addresses, resolve(host));
  ListeningSockets sockets;
  sockets.port = port;
  for (addrinfo* address = addresses.get(); address; address = address->ai_next) {
    UniqueFd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.ok() && errno == EAFNOSUPPORT && address->ai_next) continue;
    const int on = 1, v6_only = address != addresses.get() || address->ai_next != nullptr;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
    set_port(address->ai_addr, sockets.port);
    if (!fd.ok() || ::bind(fd.get(), address->ai_addr, address->ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
      // "localhost" has an IPv6 address on machines that have no IPv6.
      if (errno == EADDRNOTAVAIL && (address->ai_next || !sockets.fds.empty())) continue;
      return cannot_listen(host, sockets.port);
    }
    if (sockets.port == 0) sockets.port = port_of(fd.get());
    sockets.fds.push_back(std::move(fd));
  }
  return sockets;
}

Result<ListeningSockets> listen_unix(const std::string& path) {
  GOS_TRY(const sockaddr_un address, unix_address(path));
  GOS_TRY_STATUS(remove_stale(path, address));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Nobody can connect before listen(), so nobody slips in before the mode is set.
  if (!fd.ok() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0)
    return make_error(ErrorCode::kIo, "cannot listen on {}: {}", path, std::strerror(errno));
  ListeningSockets sockets;
  sockets.fds.push_back(std::move(fd));
  sockets.file = std::make_unique<UnixSocketFile>(path);
  return sockets;
}

}  // namespace gossamer::http
