#include <fmt/format.h>

#include <array>

#include "http/connection.h"
#include "http/tls.h"

namespace gossamer::http {

namespace {

constexpr size_t kMaxPieces = 64;  // of one system call
constexpr int kMaxTakes = 16;      // of one answer, before other connections have their turn

bool has_body(unsigned status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace

void Connection::on_answer() {
  const auto self = shared_from_this();
  if (phase_ == Phase::kAnswering) pump();
}

/// Writes what there is, as long as the socket takes it.
void Connection::pump() {
  const auto self = shared_from_this();
  for (int i = 0;; ++i) {
    if (!write_out()) return;
    if (phase_ == Phase::kClosing) return output_done();
    if (phase_ != Phase::kAnswering || !take_answer()) break;
    if (i == kMaxTakes) {
      loop_->wake(answer_);
      break;
    }
  }
  if (phase_ == Phase::kAnswering) set_deadline();
}

/// False: the socket takes no more now, or the connection is closed.
bool Connection::write_out() {
  while (!out_.empty()) {
    std::array<iovec, kMaxPieces> pieces;
    const IoResult result = socket_.write(out_.gather(pieces));
    if (result.kind == IoResult::Kind::kDone) {
      out_.consume(result.bytes);
      progress_at_ = Clock::now();
      pressed_ = false;
      continue;
    }
    if (result.kind != IoResult::Kind::kWantWrite && result.kind != IoResult::Kind::kWantRead) {
      close();
      return false;
    }
    blocked_ = true;
    wait(result.kind == IoResult::Kind::kWantRead ? Readiness::kRead : Readiness::kWrite);
    const auto pressure = answer_ ? answer_->block(out_.size_bytes()) : Answer::Pressure::kNone;
    if (pressure == Answer::Pressure::kOverrun) {
      close();
      return false;
    }
    if (pressure == Answer::Pressure::kHigh && !std::exchange(pressed_, true)) pressed_since_ = Clock::now();
    set_deadline();
    return false;
  }
  blocked_ = pressed_ = false;
  return true;
}

/// Moves what the handler has said into out_. False: nothing more for now.
bool Connection::take_answer() {
  if (answer_ended_) {
    finish_answer();
    return false;
  }
  Answer::News news = answer_->take();
  if (news.overrun) {
    close();
    return false;
  }
  if (news.response) {
    Response& response = *news.response;
    const bool body = has_body(response.status);
    send_head(response.status, response.headers,
              {body ? BodyFraming::Kind::kLength : BodyFraming::Kind::kNone, response.body.size()});
    if (body && !is_head_) out_.push(std::move(response.body));
    answer_ended_ = true;
    return true;
  }
  if (news.stream) {
    streaming_ = true;
    idle_bytes_ = std::move(news.stream->options.idle_bytes);
    idle_after_ = seconds(news.stream->options.idle_seconds);
    progress_at_ = Clock::now();
    const auto framing = is_http_1_0_ ? BodyFraming::Kind::kToEnd : BodyFraming::Kind::kChunked;
    if (is_http_1_0_) keep_alive_ = false;
    send_head(news.stream->status, news.stream->headers,
              {has_body(news.stream->status) ? framing : BodyFraming::Kind::kNone, 0});
    // Where nothing can be sent, nothing would move the time at which it is due.
    if (is_head_ || framing_ == BodyFraming::Kind::kNone) idle_bytes_.clear();
  }
  send_chunk(std::move(news.bytes));
  if (news.abandoned) {
    if (write_out()) close();
    return false;
  }
  if (news.ended) {
    if (framing_ == BodyFraming::Kind::kChunked && !is_head_) out_.push("0\r\n\r\n");
    answer_ended_ = true;
  }
  return answer_ended_ || !out_.empty();
}

void Connection::send_head(unsigned status, const Headers& headers, BodyFraming framing) {
  framing_ = framing.kind;
  keep_alive_ = keep_alive_ && !owner_.is_draining() && !(input_ended_ && unread_.empty());
  out_.push(format_response_head(status, headers, framing, keep_alive_, is_http_1_0_));
}

void Connection::send_chunk(std::string bytes) {
  if (bytes.empty() || is_head_ || framing_ == BodyFraming::Kind::kNone) return;
  if (framing_ != BodyFraming::Kind::kChunked) return out_.push(std::move(bytes));
  out_.push(fmt::format("{:x}\r\n", bytes.size()));
  out_.push(std::move(bytes));
  out_.push("\r\n");
}

/// The answer has been written whole.
void Connection::finish_answer() {
  answer_->detach();
  answer_.reset();
  streaming_ = false;
  probe_at_ = kNever;
  give_body_room();
  if (std::exchange(in_exchange_, false)) owner_.exchange_done();
  if (!keep_alive_ || owner_.is_draining()) return close_after_output();
  enter(Phase::kIdle);
  read_requests();
  if (phase_ == Phase::kIdle && input_ended_) return close();
  if (wants_input() && !waiting_[static_cast<size_t>(Readiness::kRead)]) read_socket();
}

void Connection::close_after_output() {
  progress_at_ = Clock::now();
  enter(Phase::kClosing);
  pump();
}

/// The last answer is with the kernel.
void Connection::output_done() {
  if (std::exchange(in_exchange_, false)) owner_.exchange_done();
  if (input_ended_) return close();
  socket_.end_writing();
  progress_at_ = Clock::now();
  enter(Phase::kLingering);
  if (!waiting_[static_cast<size_t>(Readiness::kRead)]) read_socket();
}

}  // namespace gossamer::http
