#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "http/exchange.h"

namespace gossamer::server {

/// An exchange without a transport: keeps what it is answered.
class FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(http::Request request) : request_(std::move(request)) {}

  const http::Request& request() const override { return request_; }

  void respond(http::Response response) override {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    response_ = std::move(response);
    ended_ = true;
    news_.notify_all();
  }
  void begin_stream(unsigned status, http::Headers headers, http::StreamOptions) override {
    std::lock_guard lock(mutex_);
    response_.status = status;
    response_.headers = std::move(headers);
    streamed_ = true;
  }
  bool write(std::string bytes) override {
    std::lock_guard lock(mutex_);
    if (ended_ || gone_) return false;
    pieces_.push_back(bytes);
    response_.body += bytes;
    news_.notify_all();
    return true;
  }
  void end() override {
    std::lock_guard lock(mutex_);
    ended_ = true;
    news_.notify_all();
  }
  void on_gone(std::function<void()> callback) override {
    std::unique_lock lock(mutex_);
    if (!gone_) return on_gone_.push_back(std::move(callback));
    lock.unlock();
    callback();
  }

  /// The client closes its connection.
  void go() {
    std::vector<std::function<void()>> callbacks;
    {
      std::lock_guard lock(mutex_);
      gone_ = true;
      callbacks.swap(on_gone_);
    }
    for (const auto& callback : callbacks) callback();
  }
  /// False: there is no whole answer in time.
  bool wait() {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, std::chrono::seconds(20), [&] { return ended_; });
  }
  bool wait_for_pieces(size_t count) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, std::chrono::seconds(20), [&] { return pieces_.size() >= count; });
  }
  /// False: the body has no such text in time.
  bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, std::chrono::seconds(20),
                          [&] { return response_.body.find(text) != std::string::npos; });
  }
  http::Response so_far() {
    std::lock_guard lock(mutex_);
    return response_;
  }
  bool has_ended() {
    std::lock_guard lock(mutex_);
    return ended_;
  }

  const http::Response& response() const { return response_; }
  const std::vector<std::string>& pieces() const { return pieces_; }
  bool streamed() const { return streamed_; }

 private:
  const http::Request request_;
  std::mutex mutex_;
  std::condition_variable news_;
  http::Response response_;
  std::vector<std::string> pieces_;
  std::vector<std::function<void()>> on_gone_;
  bool ended_ = false, gone_ = false, streamed_ = false;
};

}  // namespace gossamer::server
