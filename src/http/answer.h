#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/event_loop.h"
#include "http/exchange.h"

namespace gossamer::http {

/// Whom an answer tells on its loop that there is something to send.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  virtual void on_answer() = 0;
};

/// What a handler has said and the connection has not sent yet: the ring between the two. The handler's side may be on
/// any thread; the connection's is on its loop.
class Answer : public Wakeable, public std::enable_shared_from_this<Answer> {
 public:
  /// A stream's ring is full at ring_bytes. It takes what a burst brings beyond, up to so many times as much; then the
  /// client is given up at once.
  static constexpr uint64_t kBurstFactor = 4;

  Answer(std::shared_ptr<EventLoop> loop, AnswerReader* reader, uint64_t ring_bytes)
      : loop_(std::move(loop)), reader_(reader), ring_bytes_(ring_bytes) {}

  // The handler's side, any thread. What these mean is in exchange.h.

  void respond(Response response);
  void begin_stream(unsigned status, Headers headers, StreamOptions options);
  bool write(std::string bytes);
  void end();
  void on_gone(std::function<void()> callback);
  /// Nobody holds the exchange any more.
  void abandon();

  // The connection's side, on the loop.

  struct Stream {
    unsigned status = 200;
    Headers headers;
    StreamOptions options;
  };
  /// What has been said since the last take().
  struct News {
    std::optional<Response> response;
    std::optional<Stream> stream;
    std::string bytes;  ///< of the stream
    bool ended = false;
    bool abandoned = false;  ///< the stream breaks off
    bool overrun = false;    ///< the client is to be given up
  };
  News take();
  enum class Pressure : uint8_t {
    kNone,
    kHigh,     ///< the ring is full, or the answer has ended: the client has to read now
    kOverrun,  ///< the client is to be given up
  };
  /// The socket takes nothing more just now, `unsent_bytes` of what was taken are left: no more calls until the next
  /// take(), but where the pressure rises.
  Pressure block(uint64_t unsent_bytes);
  /// The connection is lost.
  void tell_gone();
  /// The connection has nothing more to do with it.
  void detach() { reader_ = nullptr; }

  void on_wake() override;

 private:
  enum class State : uint8_t { kSilent, kStreaming, kEnded };

  bool is_full() const { return ring_.size() + unsent_bytes_ >= ring_bytes_; }
  bool must_wake();
  void wake() { loop_->wake(shared_from_this()); }

  const std::shared_ptr<EventLoop> loop_;
  AnswerReader* reader_;  // on the loop only
  const uint64_t ring_bytes_;

  std::mutex mutex_;  // guards all below
  State state_ = State::kSilent;
  bool gone_ = false, woken_ = false, blocked_ = false, told_full_ = false, overrun_ = false, abandoned_ = false;
  std::optional<Response> response_;
  std::optional<Stream> stream_;
  std::string ring_;
  uint64_t unsent_bytes_ = 0;
  std::vector<std::function<void()>> on_gone_;
};

/// The handle that the handler holds.
class ServerExchange : public Exchange {
 public:
  ServerExchange(Request request, std::shared_ptr<Answer> answer)
      : request_(std::move(request)), answer_(std::move(answer)) {}
  ~ServerExchange() override { answer_->abandon(); }

  const Request& request() const override { return request_; }
  void respond(Response response) override { answer_->respond(std::move(response)); }
  void begin_stream(unsigned status, Headers headers, StreamOptions options) override {
    answer_->begin_stream(status, std::move(headers), std::move(options));
  }
  bool write(std::string bytes) override { return answer_->write(std::move(bytes)); }
  void end() override { answer_->end(); }
  void on_gone(std::function<void()> callback) override { answer_->on_gone(std::move(callback)); }

 private:
  const Request request_;
  const std::shared_ptr<Answer> answer_;
};

}  // namespace gossamer::http
