#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/event_loop.h"
#include "http/unique_fd.h"

namespace gossamer::http {

/// Accepts connections of one listening socket.
class Listener final : public Pollable, public Timed, public std::enable_shared_from_this<Listener> {
 public:
  /// `accept` gets a socket that does not block, and who is on the other side: "127.0.0.1:51234", "[::1]:51234",
  /// "unix". `has_room`: false leaves connections waiting in the kernel for a while.
  Listener(EventLoop& loop, UniqueFd fd, std::function<bool()> has_room,
           std::function<void(UniqueFd, std::string)> accept);

  // On the loop's thread.

  void start();
  void close();

  void on_ready(Readiness readiness) override;
  void on_deadline() override { start(); }

 private:
  void pause();

  EventLoop& loop_;
  Descriptor descriptor_;
  std::function<bool()> has_room_;
  std::function<void(UniqueFd, std::string)> accept_;
};

}  // namespace gossamer::http
