#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "http/http_server.h"
#include "http/raw_client.h"

namespace gossamer::http {

/// True as soon as `condition` is, at the latest after so long.
template <class Condition>
bool eventually(Condition condition, double timeout_seconds = 5) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Exchanges that the handler has put aside for the test to answer.
class Desk {
 public:
  void put(std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(exchange));
    came_.notify_one();
  }
  /// The next of them; nullptr: none within five seconds.
  std::shared_ptr<Exchange> take() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, std::chrono::seconds(5), [this] { return !waiting_.empty(); })) return nullptr;
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  bool empty() {
    const std::lock_guard lock(mutex_);
    return waiting_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::shared_ptr<Exchange>> waiting_;
};

/// Answers "/echo" at once with "METHOD path?query body"; everything else waits on the desk.
class ServerTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    options.port = 0;
    auto started = HttpServer::start(options, [this](std::shared_ptr<Exchange> exchange) {
      const Request& request = exchange->request();
      if (request.path != "/echo") return desk.put(std::move(exchange));
      exchange->respond({.status = 200,
                         .headers = {{"Content-Type", "text/plain"}},
                         .body = request.method + " " + request.path + "?" + request.query + " " + request.body});
    });
    ASSERT_TRUE(started.ok()) << started.error().message;
    server = std::move(*started);
  }

  /// The answer to one request on a connection of its own.
  std::string ask(std::string_view request) {
    RawClient client(*server);
    client.send(request);
    return client.read_response();
  }

  Desk desk;
  std::unique_ptr<HttpServer> server;
};

}  // namespace gossamer::http
