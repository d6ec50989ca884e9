#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "server/generation.h"
#include "server/responses_log.h"
#include "server/responses_request.h"
#include "server/responses_store.h"
#include "server/responses_writer.h"

namespace gossamer::server {

/// One response while it is being answered: makes its events, hands them to who listens, and leaves the response in the
/// store when it ends. Who listens can come and go; a response that is not in the background ends with its client.
class ResponsesRun : public std::enable_shared_from_this<ResponsesRun> {
 public:
  struct Parts {
    ResponsesRequest request;
    TenantId tenant = 0;
    std::shared_ptr<ResponsesStore> store;
    std::string warning;  ///< of what was ignored, for a header; empty: nothing was
    /// Members of the final response object beside OpenAI's: ttft, timings.
    std::function<json::object(const AnswerEvent& end)> extras;
    /// Called once, when it has ended and before those who wait are told.
    std::function<void(const AnswerEvent& end)> on_end;
  };

  explicit ResponsesRun(Parts parts);

  // Before begin(): who hears everything.

  /// Server-sent events to an exchange whose stream has begun.
  void stream_to(std::shared_ptr<http::Exchange> exchange);
  /// The response object, when it is complete; at once, where it is.
  void answer(std::shared_ptr<http::Exchange> exchange);

  /// The answer is under way. Events that came before are made up for.
  void begin(std::shared_ptr<Generation> generation);
  /// Called on the engine's thread.
  void on_event(const AnswerEvent& event);

  /// Streams what comes after that sequence number: what has been, then what will be. False: it cannot, the response
  /// was not asked for as a stream. `begin_stream` is called first.
  bool resume(std::shared_ptr<http::Exchange> exchange, int64_t starting_after,
              const std::function<void()>& begin_stream);
  /// The response object as it is now.
  json::object snapshot();
  /// Ends it; its status will be "cancelled".
  void cancel_by_client();
  /// Ends it, and nothing of it is kept.
  void discard();

  const std::string& id() const { return id_; }
  const json::array& input() const { return parts_.request.input; }
  TenantId tenant() const { return parts_.tenant; }
  bool is_background() const { return parts_.request.background; }
  bool is_streamed() const { return parts_.request.stream; }

 private:
  struct Listener {
    std::shared_ptr<http::Exchange> exchange;
    int64_t after = -1;
  };
  /// What is to be done without the lock when it has ended.
  struct Ended {
    AnswerEvent event;
    std::vector<std::shared_ptr<http::Exchange>> answers, streams;
    std::shared_ptr<Generation> generation;
    json::object response;
  };

  ResponsesWriterOptions writer_options() const;
  void take(const AnswerEvent& event, std::vector<Ended>& ended);
  void store_it();
  void hand_out();
  void finish(Ended ended);
  void cancel_when_gone(const std::shared_ptr<http::Exchange>& exchange);
  void cancel();

  const Parts parts_;
  const std::string id_;
  std::string input_text_;  // for the store; made before the engine's thread would have to
  std::mutex mutex_;
  std::vector<std::pair<uint64_t, std::string>> outgoing_;  // events that listeners have not got
  ResponsesWriter writer_;
  ResponsesLog log_;
  std::vector<AnswerEvent> early_;  // came before begin()
  std::vector<Listener> listeners_;
  std::vector<std::shared_ptr<http::Exchange>> answers_;
  std::shared_ptr<Generation> generation_;
  AnswerEvent::Kind last_kind_ = AnswerEvent::Kind::kEnd;
  bool began_ = false, cancelled_ = false, cancelled_by_client_ = false, discarded_ = false;
};

/// What a writer needs to make the events of a stored response again, read from its body.
ResponsesWriterOptions writer_options_of(const json::object& body, const ReasoningSeal& seal, TenantId tenant);

/// Events of a log after a sequence number, as server-sent events.
std::string replayed_events(std::string_view log, ResponsesWriterOptions options, int64_t starting_after);

}  // namespace gossamer::server
