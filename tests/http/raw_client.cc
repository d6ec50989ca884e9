#include "http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace gossamer::http {

namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

UniqueFd connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return {};
  return fd;
}

UniqueFd connect_tcp(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return {};
  return fd;
}

}  // namespace

RawClient::RawClient(const HttpServer& server)
    : fd_(server.port() == 0 ? connect_unix(server.address().substr(5)) : connect_tcp(server.port())) {}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

void RawClient::half_close() {
  ::shutdown(fd(), SHUT_WR);
}

void RawClient::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

bool RawClient::read_more(double deadline) {
  pollfd waited{fd(), POLLIN, 0};
  const int milliseconds = static_cast<int>(std::max(0.0, (deadline - now_seconds()) * 1000));
  if (::poll(&waited, 1, milliseconds) <= 0) return false;
  char bytes[65536];
  const ssize_t count = ::recv(fd(), bytes, sizeof(bytes), 0);
  if (count <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::string RawClient::take(size_t size) {
  std::string taken = buffer_.substr(0, size);
  buffer_.erase(0, taken.size());
  return taken;
}

std::string RawClient::read_until(std::string_view text, double timeout_seconds) {
  const double deadline = now_seconds() + timeout_seconds;
  while (buffer_.find(text) == std::string::npos && read_more(deadline)) {
  }
  const size_t found = buffer_.find(text);
  return take(found == std::string::npos ? buffer_.size() : found + text.size());
}

std::string RawClient::read_to_end(double timeout_seconds) {
  const double deadline = now_seconds() + timeout_seconds;
  while (read_more(deadline)) {
  }
  return take(buffer_.size());
}

std::string RawClient::read_response(double timeout_seconds) {
  const double deadline = now_seconds() + timeout_seconds;
  std::string response = read_until("\r\n\r\n", timeout_seconds);
  if (response.find("Transfer-Encoding: chunked") != std::string::npos)
    return response + read_until("0\r\n\r\n", deadline - now_seconds());
  const size_t field = response.find("Content-Length: ");
  if (field == std::string::npos) return response;
  const size_t length = std::strtoul(response.c_str() + field + 16, nullptr, 10);
  while (buffer_.size() < length && read_more(deadline)) {
  }
  return response + take(length);
}

unsigned status_of(std::string_view response) {
  return response.starts_with("HTTP/1.1 ")
             ? static_cast<unsigned>(std::atoi(std::string(response.substr(9, 3)).c_str()))
             : 0;
}

std::string_view body_of(std::string_view response) {
  const size_t end = response.find("\r\n\r\n");
  return end == response.npos ? std::string_view() : response.substr(end + 4);
}

}  // namespace gossamer::http
