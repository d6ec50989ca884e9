#include "http/answer.h"

#include <utility>

#include "http/refusal.h"

namespace gossamer::http {

/// True for the first who has something to say since the last take().
bool Answer::must_wake() {
  return !std::exchange(woken_, true);
}

void Answer::respond(Response response) {
  std::vector<std::function<void()>> dropped;  // after the lock: they may hold the exchange itself
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || state_ != State::kSilent) return;
    state_ = State::kEnded;
    dropped.swap(on_gone_);
    response_ = std::move(response);
    if (!must_wake()) return;
  }
  wake();
}

void Answer::begin_stream(unsigned status, Headers headers, StreamOptions options) {
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || state_ != State::kSilent) return;
    state_ = State::kStreaming;
    stream_ = Stream{status, std::move(headers), std::move(options)};
    if (!must_wake()) return;
  }
  wake();
}

bool Answer::write(std::string bytes) {
  bool taken;
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || overrun_ || state_ != State::kStreaming) return false;
    overrun_ = is_full() && ring_.size() + unsent_bytes_ + bytes.size() > kBurstFactor * ring_bytes_;
    if (!overrun_) {
      if (ring_.empty())
        ring_ = std::move(bytes);
      else
        ring_ += bytes;
    }
    const bool news = !blocked_ || overrun_ || (is_full() && !std::exchange(told_full_, true));
    taken = !overrun_;
    if (!news || !must_wake()) return taken;
  }
  wake();
  return taken;
}

void Answer::end() {
  std::vector<std::function<void()>> dropped;  // as above
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || state_ != State::kStreaming) return;
    state_ = State::kEnded;
    dropped.swap(on_gone_);
    if (!must_wake()) return;
  }
  wake();
}

void Answer::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      if (state_ != State::kEnded) on_gone_.push_back(std::move(callback));
      return;
    }
    if (state_ == State::kEnded) return;
  }
  callback();
}

void Answer::abandon() {
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || state_ == State::kEnded) return;
    if (state_ == State::kSilent)
      response_ = refusal_response({500, "The server did not answer this request."});
    else
      abandoned_ = true;
    state_ = State::kEnded;
    if (!must_wake()) return;
  }
  wake();
}

Answer::News Answer::take() {
  const std::lock_guard lock(mutex_);
  woken_ = blocked_ = told_full_ = false;
  unsent_bytes_ = 0;
  return {.response = std::exchange(response_, std::nullopt),
          .stream = std::exchange(stream_, std::nullopt),
          .bytes = std::exchange(ring_, {}),
          .ended = state_ == State::kEnded,
          .abandoned = abandoned_,
          .overrun = overrun_};
}

Answer::Pressure Answer::block(uint64_t unsent_bytes) {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  blocked_ = true;
  unsent_bytes_ = unsent_bytes;
  told_full_ = is_full();
  if (overrun_) return Pressure::kOverrun;
  return told_full_ || state_ == State::kEnded ? Pressure::kHigh : Pressure::kNone;
}

void Answer::tell_gone() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    callbacks.swap(on_gone_);  // the end took them away
    ring_ = {};
    response_.reset();
    stream_.reset();
  }
  for (const auto& callback : callbacks) callback();
}

void Answer::on_wake() {
  if (reader_) reader_->on_answer();
}

}  // namespace gossamer::http
