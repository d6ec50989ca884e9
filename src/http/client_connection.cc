#include "http/client_connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "http/tls.h"

namespace gossamer::http {

namespace {
constexpr size_t kMaxPieces = 8;
constexpr int kMaxReads = 16;
}  // namespace

void ClientConnection::begin(std::unique_ptr<Call> call) {
  call_ = std::move(call);
  if (phase_ == Phase::kIdle) return send_request();
  connect_due_ = Clock::now() + seconds(owner_.target().options.connect_seconds);
  connect();
}

/// To the first address that is left.
void ClientConnection::connect() {
  const auto& addresses = owner_.target().addresses;
  phase_ = Phase::kConnecting;
  set_deadline();
  int error = EADDRNOTAVAIL;
  for (; address_ < addresses.size(); ++address_) {
    const ServerAddress& address = addresses[address_];
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    socket_.emplace(loop_, fd);
    waiting_[0] = waiting_[1] = waiting_[2] = false;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return connected();
    error = errno;
    if (error == EINPROGRESS) return wait(Readiness::kWrite);
  }
  fail(CallFailure::kConnect, fmt::format("cannot connect: {}", std::strerror(error)));
}

void ClientConnection::connected() {
  phase_ = Phase::kHandshake;
  const ClientTarget& target = owner_.target();
  if (target.tls) socket_->use_tls(std::make_unique<TlsSession>(*target.tls, socket_->fd(), target.url.host));
  shake_hands();
}

void ClientConnection::shake_hands() {
  switch (socket_->handshake().kind) {
    case IoResult::Kind::kDone:
      return send_request();
    case IoResult::Kind::kWantRead:
      return wait(Readiness::kRead);
    case IoResult::Kind::kWantWrite:
      return wait(Readiness::kWrite);
    default:
      return fail(CallFailure::kTls, "no agreement on TLS: " + socket_->tls_failure());
  }
}

void ClientConnection::send_request() {
  phase_ = Phase::kBusy;
  answer_began_ = false;
  reader_.emplace(ResponseReader::Sink{.on_head =
                                           [this](unsigned status, Headers headers) {
                                             if (call_ && call_->sink.on_head) call_->sink.on_head(status, headers);
                                           },
                                       .on_body =
                                           [this](std::string_view bytes) {
                                             if (call_ && call_->sink.on_body) call_->sink.on_body(bytes);
                                           }},
                  call_->is_head);
  // Copies: a connection that the server has closed meanwhile makes it necessary to send them again.
  out_.push(call_->head);
  if (used_before_)
    out_.push(call_->body);
  else
    out_.push(std::move(call_->body));
  set_deadline();
  write_out();
  if (phase_ == Phase::kBusy) wait(Readiness::kRead);
}

void ClientConnection::write_out() {
  while (!out_.empty()) {
    std::array<iovec, kMaxPieces> pieces;
    const IoResult result = socket_->write(out_.gather(pieces));
    switch (result.kind) {
      case IoResult::Kind::kDone:
        out_.consume(result.bytes);
        break;
      case IoResult::Kind::kWantWrite:
        return wait(Readiness::kWrite);
      case IoResult::Kind::kWantRead:
        return wait(Readiness::kRead);
      default:
        // The server may have said why before it stopped reading.
        out_.clear();
        return wait(Readiness::kRead);
    }
  }
}

void ClientConnection::on_ready(Readiness readiness) {
  waiting_[static_cast<size_t>(readiness)] = false;
  if (readiness == Readiness::kBroken) return fail(CallFailure::kConnect, "the socket cannot be waited for");
  switch (phase_) {
    case Phase::kConnecting: {
      int error = 0;
      socklen_t size = sizeof(error);
      ::getsockopt(socket_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) return connected();
      if (++address_ < owner_.target().addresses.size()) return connect();
      return fail(CallFailure::kConnect, fmt::format("cannot connect: {}", std::strerror(error)));
    }
    case Phase::kHandshake:
      return shake_hands();
    case Phase::kIdle:  // the server has ended it, or says something nobody asked for, or talks about TLS
      if (socket_->read(loop_.scratch()).kind == IoResult::Kind::kWantRead) return wait(Readiness::kRead);
      return close();
    case Phase::kBusy:
      if (readiness == Readiness::kWrite || socket_->has_tls()) write_out();
      if (phase_ == Phase::kBusy && (readiness == Readiness::kRead || socket_->has_tls())) read_socket();
      return;
    case Phase::kNew:
    case Phase::kClosed:
      return;
  }
}

void ClientConnection::read_socket() {
  const auto self = shared_from_this();
  for (int i = 0; phase_ == Phase::kBusy; ++i) {
    if (i == kMaxReads)
      return loop_.post([self] {
        if (self->phase_ == Phase::kBusy) self->read_socket();
      });
    const std::span<char> scratch = loop_.scratch();
    const IoResult result = socket_->read(scratch);
    switch (result.kind) {
      case IoResult::Kind::kDone:
        take_bytes({scratch.data(), result.bytes});
        if (!result.drained) continue;
        [[fallthrough]];
      case IoResult::Kind::kWantRead:
        if (phase_ == Phase::kBusy || phase_ == Phase::kIdle) wait(Readiness::kRead);
        return;
      case IoResult::Kind::kWantWrite:
        return wait(Readiness::kWrite);
      case IoResult::Kind::kEnd:
        return input_ended();
      case IoResult::Kind::kFailed:
        return lose();
    }
  }
  if (phase_ == Phase::kIdle) wait(Readiness::kRead);
}

void ClientConnection::take_bytes(std::string_view bytes) {
  answer_began_ = true;
  if (!unread_.empty()) {
    unread_ += bytes;
    bytes = unread_;
  }
  const size_t used = reader_->read(bytes);
  if (phase_ != Phase::kBusy) return;  // cancelled from within
  unread_ = std::string(bytes.substr(used));
  if (reader_->state() == ResponseReader::State::kMalformed) return fail(CallFailure::kMalformed, reader_->problem());
  if (reader_->state() == ResponseReader::State::kDone) finish_call();
}

void ClientConnection::input_ended() {
  if (answer_began_) reader_->read_end();
  if (phase_ != Phase::kBusy) return;
  if (answer_began_ && reader_->state() == ResponseReader::State::kDone) return finish_call();
  lose();
}

void ClientConnection::finish_call() {
  const bool reusable = reader_->keep_alive() && out_.empty() && unread_.empty();
  const auto self = shared_from_this();
  const auto call = std::move(call_);
  used_before_ = true;
  owner_.call_ended(call->id);
  if (reusable) {
    phase_ = Phase::kIdle;
    set_deadline();
    owner_.connection_idle(self);
  } else {
    close();
  }
  if (call->sink.on_end) call->sink.on_end({});
}

/// The connection is gone in the middle of a call.
void ClientConnection::lose() {
  if (used_before_ && !answer_began_ && call_ && !call_->repeated) {
    auto call = std::move(call_);
    call->repeated = true;
    const auto self = shared_from_this();
    close();
    return owner_.repeat(std::move(call));
  }
  fail(CallFailure::kDisconnected, "the server closed the connection before the end of its answer");
}

void ClientConnection::fail(CallFailure failure, std::string message) {
  const auto self = shared_from_this();
  const auto call = std::move(call_);
  if (call) owner_.call_ended(call->id);
  close();
  if (call && call->sink.on_end) call->sink.on_end({.failure = failure, .message = std::move(message)});
}

void ClientConnection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  loop_.remove_deadline(*this);
  if (socket_) socket_->close();
  owner_.connection_closed(this);
}

void ClientConnection::wait(Readiness readiness) {
  if (std::exchange(waiting_[static_cast<size_t>(readiness)], true)) return;
  socket_->wait(readiness, shared_from_this());
}

void ClientConnection::set_deadline() {
  const TimePoint due = call_ ? call_->due : kNever;
  const bool connecting = phase_ == Phase::kConnecting || phase_ == Phase::kHandshake;
  loop_.set_deadline(*this, connecting ? std::min(due, connect_due_) : due);
}

void ClientConnection::on_deadline() {
  if (call_ && call_->due <= Clock::now()) return fail(CallFailure::kTimeout, "the answer did not come in time");
  fail(CallFailure::kConnect, "no connection in time");
}

}  // namespace gossamer::http
