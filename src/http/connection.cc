#include "http/connection.h"

#include <algorithm>

#include "http/tls.h"

namespace gossamer::http {

namespace {

/// For how long at most silence is waited through after the last answer.
constexpr double kLingerSilenceSeconds = 2;

}  // namespace

Connection::Connection(ConnectionOwner& owner, std::shared_ptr<EventLoop> loop, int fd, std::string peer)
    : owner_(owner), loop_(std::move(loop)), socket_(*loop_, fd), peer_(std::move(peer)) {}

void Connection::start() {
  enter(Phase::kHandshake);
  shake_hands();
}

void Connection::drain() {
  const auto self = shared_from_this();
  if (phase_ == Phase::kHandshake) return close();
  if (phase_ == Phase::kIdle) read_socket();  // a request that is there already is answered
  if (phase_ == Phase::kIdle) close();
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  if (socket_.has_tls() && phase_ == Phase::kIdle) socket_.end_writing();
  phase_ = Phase::kClosed;
  loop_->remove_deadline(*this);
  socket_.close();
  if (const auto answer = std::move(answer_)) {
    answer->detach();
    answer->tell_gone();
  }
  give_body_room();
  if (std::exchange(in_exchange_, false)) owner_.exchange_done();
  owner_.connection_closed(this);
}

void Connection::on_ready(Readiness readiness) {
  waiting_[static_cast<size_t>(readiness)] = false;
  if (phase_ == Phase::kClosed) return;
  if (readiness == Readiness::kBroken) return close();
  if (phase_ == Phase::kHandshake) return shake_hands();
  // Under TLS either direction may have waited for the other.
  if (readiness == Readiness::kWrite || (blocked_ && socket_.has_tls())) pump();
  if ((readiness == Readiness::kRead || socket_.has_tls()) && wants_input()) read_socket();
}

void Connection::wait(Readiness readiness) {
  if (std::exchange(waiting_[static_cast<size_t>(readiness)], true)) return;
  socket_.wait(readiness, shared_from_this());
}

void Connection::enter(Phase phase) {
  phase_ = phase;
  phase_began_ = Clock::now();
  set_deadline();
}

void Connection::set_deadline() {
  const ServerOptions& options = owner_.options();
  TimePoint due = kNever;
  switch (phase_) {
    case Phase::kHandshake:
    case Phase::kHead:
      due = phase_began_ + seconds(options.header_seconds);
      break;
    case Phase::kIdle:
      due = phase_began_ + seconds(options.idle_seconds);
      break;
    case Phase::kBody:
      due = phase_began_ + seconds(options.body_seconds);
      break;
    case Phase::kAnswering:
      if (blocked_ && pressed_) due = pressed_since_ + seconds(options.stall_seconds);
      if (!blocked_ && streaming_ && !idle_bytes_.empty()) due = progress_at_ + idle_after_;
      due = std::min(due, probe_at_);
      break;
    case Phase::kClosing:
      due = progress_at_ + seconds(options.stall_seconds);
      break;
    case Phase::kLingering:
      due = std::min(phase_began_ + linger_for_, progress_at_ + seconds(kLingerSilenceSeconds));
      break;
    case Phase::kClosed:
      return;
  }
  loop_->set_deadline(*this, due);
}

void Connection::on_deadline() {
  const auto self = shared_from_this();
  switch (phase_) {
    case Phase::kHead:
      return refuse({408, "The request's header did not arrive in time."});
    case Phase::kBody:
      return refuse({408, "The request's body did not arrive in time."});
    case Phase::kAnswering:
      return answer_deadline(Clock::now());
    case Phase::kHandshake:
    case Phase::kIdle:
    case Phase::kClosing:
    case Phase::kLingering:
    case Phase::kClosed:
      return close();
  }
}

void Connection::answer_deadline(TimePoint now) {
  if (probe_at_ <= now) {
    probe_at_ = kNever;
    probe();
  } else if (blocked_ && pressed_) {
    return close();
  } else if (!blocked_ && streaming_ && progress_at_ + idle_after_ <= now) {
    send_chunk(idle_bytes_);
    pump();
  }
  set_deadline();
}

}  // namespace gossamer::http
