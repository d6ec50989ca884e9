#pragma once

#include <array>
#include <memory>
#include <string>

#include "http/answer.h"
#include "http/http_server.h"
#include "http/outgoing.h"
#include "http/request_reader.h"
#include "http/response_head.h"
#include "http/socket.h"

namespace gossamer::http {

class Connection;

/// What connections ask of the server they belong to; on their loop.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual const ServerOptions& options() const = 0;
  virtual bool is_draining() const = 0;
  virtual void handle(std::shared_ptr<Exchange> exchange) = 0;
  virtual void exchange_begun() = 0;
  virtual void exchange_done() = 0;
  /// Memory for so much more of a body; false: there is none. To be given back.
  virtual bool take_body_room(uint64_t bytes) = 0;
  virtual void give_body_room(uint64_t bytes) = 0;
  virtual void connection_closed(Connection* connection) = 0;
};

/// A client's connection: reads a request, has it handled, writes the answer, and again. Lives on one loop.
class Connection final : public Pollable,
                         public Timed,
                         public AnswerReader,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionOwner& owner, std::shared_ptr<EventLoop> loop, int fd, std::string peer);

  void use_tls(std::unique_ptr<TlsSession> session) { socket_.use_tls(std::move(session)); }
  void start();
  /// Closes it now where nothing is under way; it will close itself otherwise, because the owner is draining.
  void drain();
  void close();

  void on_ready(Readiness readiness) override;
  void on_deadline() override;
  void on_answer() override;

 private:
  enum class Phase : uint8_t {
    kHandshake,
    kIdle,       ///< no byte of a request has come
    kHead,       ///< of a request is being read
    kBody,       ///< likewise
    kAnswering,  ///< the handler has the request
    kClosing,    ///< the last answer goes out
    kLingering,  ///< it is out; what comes in is dropped, so that the client reads that answer instead of a reset
    kClosed,
  };

  // connection_reading.cc
  void shake_hands();
  void read_socket();
  void take_bytes(std::string_view bytes);
  void read_requests();
  size_t read_some_of_request(std::string_view bytes);
  bool has_body_room();
  void give_body_room();
  void begin_exchange();
  void refuse(const Refusal& refusal);
  void input_ended();
  void probe();
  bool wants_input() const;

  // connection_writing.cc
  void pump();
  bool take_answer();
  void send_head(unsigned status, const Headers& headers, BodyFraming framing);
  void send_chunk(std::string bytes);
  void finish_answer();
  bool write_out();
  void close_after_output();
  void output_done();

  // connection.cc
  void enter(Phase phase);
  void wait(Readiness readiness);
  void set_deadline();
  void answer_deadline(TimePoint now);

  ConnectionOwner& owner_;
  const std::shared_ptr<EventLoop> loop_;
  Socket socket_;
  const std::string peer_;
  Phase phase_ = Phase::kHandshake;
  std::array<bool, 3> waiting_{};  // by Readiness
  TimePoint phase_began_;

  // Input.
  std::string unread_;  // bytes that wait for more, or for the answer before them
  std::unique_ptr<RequestReader> reader_;
  bool sent_continue_ = false;
  bool input_ended_ = false;
  uint64_t body_room_bytes_ = 0;  // taken for this request's body
  TimePoint probe_at_ = kNever;

  // Output.
  std::shared_ptr<Answer> answer_;
  bool is_head_ = false, is_http_1_0_ = false, keep_alive_ = false;
  BodyFraming::Kind framing_ = BodyFraming::Kind::kNone;
  bool streaming_ = false, answer_ended_ = false, in_exchange_ = false;
  std::string idle_bytes_;
  Clock::duration idle_after_{};
  Outgoing out_;
  bool blocked_ = false, pressed_ = false;
  TimePoint progress_at_, pressed_since_;
  Clock::duration linger_for_{};
};

}  // namespace gossamer::http
