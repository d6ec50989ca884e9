#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/deadlines.h"
#include "http/http_client.h"
#include "http/sse_parser.h"
#include "load/answer_part.h"
#include "load/request_record.h"

namespace gossamer::load {

/// One request under way: reads its answer as it comes and notes when. On the thread of the client that it is sent on.
class MeasuredCall : public std::enable_shared_from_this<MeasuredCall> {
 public:
  using Done = std::function<void(MeasuredCall&)>;
  /// `due`: when it ought to have been sent; times count from there. `live_events` counts events with text of all
  /// calls. `done` is called once, at the end.
  MeasuredCall(http::TimePoint due, bool stream, std::atomic<uint64_t>& live_events, Done done);

  /// What to send the request with; keeps this alive until the end.
  http::CallSink sink();

  static constexpr http::HttpClient::CallId kNotSent = ~http::HttpClient::CallId{0};
  std::atomic<http::HttpClient::CallId> id{kNotSent};
  RequestRecord record;
  std::vector<float> gaps_ms;  ///< between texts, as they arrived; 0 where several came in one piece
  std::string error_message;   ///< of a failure: a sentence

 private:
  void take_bytes(std::string_view bytes);
  void take_event(const http::SseEvent& event);
  void count_text();
  void take_part(const AnswerPart& part);
  void settle(const http::CallEnd& end);
  void settle_whole_answer();
  void fail(std::string kind, std::string message);

  const http::TimePoint due_;
  const bool stream_;
  std::atomic<uint64_t>& live_events_;
  Done done_;
  unsigned status_ = 0;
  http::SseParser events_;
  AnswerPartReader parts_;
  std::string body_;  // of an answer that is no stream, or of an error
  http::TimePoint now_, last_text_;
  float first_event_ms_ = RequestRecord::kNone;
  bool ended_well_ = false;
};

}  // namespace gossamer::load
