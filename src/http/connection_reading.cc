#include <algorithm>

#include "http/connection.h"
#include "http/tls.h"

namespace gossamer::http {

namespace {

/// What of the next requests is read while one is answered. More waits in the kernel, and then at the client.
constexpr size_t kMaxReadAheadBytes = 64u << 10;
/// Reads of one connection before others have their turn.
constexpr int kMaxReads = 16;
/// After the other side has ended its direction: a client that waits for its answer all the same is rare, one that has
/// gone is common, and only something sent to it tells which it is.
constexpr double kProbeSeconds = 0.1;
/// How long what a client still sends after the last answer is read and dropped: to the end of a body that is too
/// large, so that it looks for the answer at all; others only until what is on its way has arrived.
constexpr double kLingerSeconds = 1, kLingerBodySeconds = 30;
constexpr const char* kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void Connection::shake_hands() {
  switch (socket_.handshake().kind) {
    case IoResult::Kind::kDone:
      enter(Phase::kIdle);
      return read_socket();
    case IoResult::Kind::kWantRead:
      return wait(Readiness::kRead);
    case IoResult::Kind::kWantWrite:
      return wait(Readiness::kWrite);
    default:
      return close();
  }
}

bool Connection::wants_input() const {
  if (input_ended_ || phase_ == Phase::kClosed) return false;
  return phase_ != Phase::kAnswering || unread_.size() < kMaxReadAheadBytes;
}

void Connection::read_socket() {
  const auto self = shared_from_this();
  for (int i = 0; wants_input(); ++i) {
    if (i == kMaxReads) {
      loop_->post([self] {
        if (self->wants_input()) self->read_socket();
      });
      return;
    }
    const std::span<char> scratch = loop_->scratch();
    const IoResult result = socket_.read(scratch);
    if (result.kind == IoResult::Kind::kDone) {
      take_bytes({scratch.data(), result.bytes});
      if (!result.drained) continue;
      if (wants_input()) wait(Readiness::kRead);
      return;
    }
    if (result.kind == IoResult::Kind::kWantRead) return wait(Readiness::kRead);
    if (result.kind == IoResult::Kind::kWantWrite) return wait(Readiness::kWrite);
    if (result.kind == IoResult::Kind::kEnd) return input_ended();
    return close();
  }
  if (phase_ == Phase::kAnswering) wait(Readiness::kBroken);
}

void Connection::take_bytes(std::string_view bytes) {
  if (phase_ == Phase::kClosing) return;
  if (phase_ == Phase::kLingering) {
    progress_at_ = Clock::now();
    return set_deadline();
  }
  if (unread_.empty() && phase_ != Phase::kAnswering) {
    const size_t used = read_some_of_request(bytes);
    unread_.assign(bytes.substr(used));
    return;
  }
  unread_.append(bytes);
  if (phase_ != Phase::kAnswering) read_requests();
}

void Connection::read_requests() {
  const size_t used = read_some_of_request(unread_);
  unread_.erase(0, used);
  if (unread_.empty()) unread_.shrink_to_fit();
}

/// As far as the end of the first request in `bytes`; says how many it used.
size_t Connection::read_some_of_request(std::string_view bytes) {
  if (bytes.empty()) return 0;
  if (phase_ == Phase::kIdle) {
    reader_ = std::make_unique<RequestReader>(owner_.options().max_header_bytes, owner_.options().max_body_bytes);
    sent_continue_ = false;
    enter(Phase::kHead);
  }
  const size_t used = reader_->read(bytes);
  if (!has_body_room()) {
    refuse({503, "The server has no memory left for this request; try again soon."});
    return used;
  }
  switch (reader_->state()) {
    case RequestReader::State::kHead:
      if (used == bytes.size()) enter(Phase::kIdle);  // empty lines between requests
      break;
    case RequestReader::State::kBody:
      if (phase_ == Phase::kHead) {
        owner_.exchange_begun();
        in_exchange_ = true;
        enter(Phase::kBody);
      }
      if (used == bytes.size() && !sent_continue_ && reader_->expects_continue()) {
        sent_continue_ = true;
        out_.push(kContinue);
        pump();
      }
      break;
    case RequestReader::State::kDone:
      begin_exchange();
      break;
    case RequestReader::State::kRefused: {
      const Refusal refusal = reader_->refusal();
      refuse(refusal);
      break;
    }
  }
  return used;
}

/// Takes memory for what has been read of a body.
bool Connection::has_body_room() {
  const uint64_t more = reader_->body_bytes() - body_room_bytes_;
  if (more == 0) return true;
  if (!owner_.take_body_room(more)) return false;
  body_room_bytes_ += more;
  return true;
}

void Connection::give_body_room() {
  if (body_room_bytes_ > 0) owner_.give_body_room(std::exchange(body_room_bytes_, 0));
}

void Connection::begin_exchange() {
  Request request = reader_->take_request();
  request.peer = peer_;
  linger_for_ = seconds(kLingerSeconds);
  is_head_ = request.method == "HEAD";
  is_http_1_0_ = reader_->is_http_1_0();
  keep_alive_ = reader_->keep_alive();
  reader_.reset();
  if (!std::exchange(in_exchange_, true)) owner_.exchange_begun();
  answer_ = std::make_shared<Answer>(loop_, this, owner_.options().ring_bytes);
  streaming_ = answer_ended_ = false;
  idle_bytes_.clear();
  enter(Phase::kAnswering);
  owner_.handle(std::make_shared<ServerExchange>(std::move(request), answer_));
}

void Connection::refuse(const Refusal& refusal) {
  is_head_ = reader_ && reader_->is_head();
  is_http_1_0_ = reader_ && reader_->is_http_1_0();
  keep_alive_ = false;
  linger_for_ = seconds(refusal.status == 413 || refusal.status == 503 ? kLingerBodySeconds : kLingerSeconds);
  reader_.reset();
  give_body_room();
  unread_ = {};
  Response response = refusal_response(refusal);
  if (owner_.options().on_refusal) owner_.options().on_refusal(peer_, response);
  send_head(response.status, response.headers, {BodyFraming::Kind::kLength, response.body.size()});
  if (!is_head_) out_.push(std::move(response.body));
  close_after_output();
}

void Connection::input_ended() {
  input_ended_ = true;
  switch (phase_) {
    case Phase::kHead:
    case Phase::kBody:
      return refuse({400, "The connection ended before the request did."});
    case Phase::kAnswering:
      wait(Readiness::kBroken);
      probe_at_ = Clock::now() + seconds(streaming_ ? 0 : kProbeSeconds);
      return set_deadline();
    case Phase::kClosing:
      return;  // output_done() closes
    default:
      return close();
  }
}

/// Sends something that means nothing: a client that has gone answers it with a reset.
void Connection::probe() {
  if (blocked_ || !out_.empty()) return;  // there is something to send anyway
  if (streaming_)
    send_chunk(idle_bytes_);
  else if (!is_http_1_0_)
    out_.push(kContinue);
  pump();
}

}  // namespace gossamer::http
