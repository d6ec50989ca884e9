#include "load/measured_call.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace gossamer::load {
namespace {

constexpr size_t kLargestAnswerBytes = 256u << 20;
constexpr size_t kLongestShownBytes = 200;
constexpr unsigned kOk = 200;

float milliseconds(http::Clock::duration time) {
  return std::chrono::duration<float, std::milli>(time).count();
}

std::string kind_of(http::CallFailure failure, bool began) {
  switch (failure) {
    case http::CallFailure::kConnect:
      return "no connection";
    case http::CallFailure::kTls:
      return "TLS";
    case http::CallFailure::kTimeout:
      return "timeout";
    case http::CallFailure::kDisconnected:
      return began ? "broken stream" : "no answer";
    default:
      return "no HTTP";
  }
}

}  // namespace

MeasuredCall::MeasuredCall(http::TimePoint due, bool stream, std::atomic<uint64_t>& live_events, Done done)
    : due_(due),
      stream_(stream),
      live_events_(live_events),
      done_(std::move(done)),
      events_([this](const http::SseEvent& event) { take_event(event); }) {}

http::CallSink MeasuredCall::sink() {
  return {.on_head = [self = shared_from_this()](unsigned status, const http::Headers&) { self->status_ = status; },
          .on_body = [self = shared_from_this()](std::string_view bytes) { self->take_bytes(bytes); },
          .on_end = [self = shared_from_this()](const http::CallEnd& end) { self->settle(end); }};
}

void MeasuredCall::take_bytes(std::string_view bytes) {
  now_ = http::Clock::now();
  if (stream_ && status_ == kOk)
    events_.read(bytes);
  else if (body_.size() + bytes.size() <= kLargestAnswerBytes)
    body_ += bytes;
}

void MeasuredCall::take_event(const http::SseEvent& event) {
  if (event.data == "[DONE]") {
    ended_well_ = true;
    return;
  }
  const AnswerPart part = parts_.read(event.data);
  if (!part.is_json && error_message.empty()) return fail("not JSON", "an event is not JSON");
  if (!part.error.empty() && error_message.empty()) return fail("stream error", part.error);
  if (std::isnan(first_event_ms_)) first_event_ms_ = milliseconds(now_ - due_);
  if (part.has_text) count_text();
  ended_well_ |= part.has_finish;
  take_part(part);
}

void MeasuredCall::count_text() {
  live_events_.fetch_add(1, std::memory_order_relaxed);
  if (record.events++ == 0)
    record.ttft_ms = milliseconds(now_ - due_);
  else
    gaps_ms.push_back(milliseconds(now_ - last_text_));
  last_text_ = now_;
}

void MeasuredCall::take_part(const AnswerPart& part) {
  if (part.input_tokens) record.input_tokens = *part.input_tokens;
  if (part.output_tokens) record.output_tokens = *part.output_tokens;
  if (part.engine_ms) record.engine_ms = static_cast<float>(*part.engine_ms);
}

void MeasuredCall::settle(const http::CallEnd& end) {
  record.latency_ms = milliseconds(http::Clock::now() - due_);
  if (end.failure == http::CallFailure::kCancelled) {
    record.outcome = RequestRecord::Outcome::kUnfinished;
  } else if (end.failure) {
    fail(kind_of(*end.failure, status_ == kOk), end.message);
  } else if (status_ != kOk) {
    const AnswerPart part = parts_.read(body_);
    fail(fmt::format("HTTP {}", status_), part.error.empty() ? body_.substr(0, kLongestShownBytes) : part.error);
  } else if (!error_message.empty()) {
    // an event has said it
  } else if (!stream_) {
    settle_whole_answer();
  } else if (!ended_well_) {
    fail("broken stream", "the stream ended before the answer did");
  } else {
    record.outcome = RequestRecord::Outcome::kAnswered;
  }
  if (std::isnan(record.ttft_ms)) record.ttft_ms = first_event_ms_;
  if (record.output_tokens == 0) record.output_tokens = record.events;
  std::exchange(done_, nullptr)(*this);
}

void MeasuredCall::settle_whole_answer() {
  const AnswerPart part = parts_.read(body_);
  if (!part.error.empty()) return fail("HTTP 200", part.error);
  if (!part.has_finish) return fail("not an answer", "a body without choices came");
  take_part(part);
  record.outcome = RequestRecord::Outcome::kAnswered;
}

void MeasuredCall::fail(std::string kind, std::string message) {
  record.outcome = RequestRecord::Outcome::kFailed;
  record.error = std::move(kind);
  error_message = message.empty() ? "no sentence came with it" : utf8_lossy(message);
}

}  // namespace gossamer::load
