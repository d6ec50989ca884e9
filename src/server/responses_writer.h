#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/generation.h"
#include "server/responses_tools.h"

namespace gossamer::server {

/// What a ResponsesWriter is told about the response that it writes.
struct ResponsesWriterOptions {
  std::string stem;   ///< of the ids
  json::object echo;  ///< the response object as ResponsesRequest::echo has it
  decltype(ResponsesTools::kinds) tool_kinds;
  bool background = false;                                 ///< begins as queued
  std::function<std::string(std::string_view)> seal = {};  ///< reasoning to encrypted_content; empty: none is wanted
};

/// What the end of an answer adds to its kEnd.
struct ResponsesEnd {
  int64_t completed_unix_seconds = 0;
  bool cancelled_by_client = false;
  json::object extras;  ///< further members of the response object: ttft, timings
};

/// Makes the events of one response, and the response object, of what happens to the answer. The same answer gives the
/// same events, ids and sequence numbers each time: that is how a stream is resumed.
///
/// The grammar, whatever the answer does: created, (queued,) in_progress, items one after the other, then one of
/// completed, incomplete and failed. An item: output_item.added, then per part content_part.added, deltas, the text's
/// done and content_part.done (calls: arguments' deltas and done; calls of the server's own tools: in_progress, what
/// they do, completed or failed), output_item.done.
class ResponsesWriter {
 public:
  /// One event: its type, and its JSON with that type and its sequence number.
  using Sink = std::function<void(std::string_view type, uint64_t sequence_number, const std::string& json_text)>;

  /// `sink` empty: events are counted and not written.
  ResponsesWriter(ResponsesWriterOptions options, Sink sink);

  void begin();
  /// Everything but kEnd.
  void add(const AnswerEvent& event);
  void end(const AnswerEvent& event, const ResponsesEnd& end);

  /// As far as it has come: complete items only, until the end.
  const json::object& response() const { return response_; }
  bool ended() const { return ended_; }

 private:
  enum class ItemKind : uint8_t { kNone, kReasoning, kPreamble, kText, kCall, kServerCall };
  struct OpenItem {
    ItemKind kind = ItemKind::kNone;
    std::string id, text;
    std::string call_id, name;
    ResponsesToolKind tool = ResponsesToolKind::kFunction;
    json::array logprobs;
    json::object server_item;  // kServerCall: as far as it is known
  };

  void open_text_item(ItemKind kind);
  void open_call(const AnswerEvent& event);
  void add_text(const AnswerEvent& event);
  void close_item(bool complete);
  void close_reasoning(std::string_view status);
  void close_message(std::string_view status);
  void close_call(bool complete);
  void settle_end(const AnswerEvent& event, const ResponsesEnd& end);

  // Of the server's own tools: responses_server_calls.cc.
  void list_server_tools(const AnswerEvent& event);
  void open_server_call(const AnswerEvent& event);
  void open_code(const AnswerEvent& event);
  void open_mcp_call(const AnswerEvent& event);
  void ask_for_approval(const AnswerEvent& event);
  void close_server_call(const AnswerEvent& event);

  json::object item_object(std::string_view status) const;
  json::object call_object(std::string_view status) const;
  json::object text_part(std::string_view text) const;
  void finish_item(json::object item);
  void emit_item(std::string_view type, const json::object& item);
  void emit_part(std::string_view type, const json::object& part);
  void emit_response(std::string_view type);
  /// `members` makes the JSON of what follows the sequence number, beginning with a comma; called where it is wanted.
  template <class MakeMembers>
  void emit(std::string_view type, MakeMembers&& members) {
    const uint64_t number = next_sequence_number_++;
    if (!sink_) return;
    sink_(type, number, fmt::format("{{\"type\":\"{}\",\"sequence_number\":{}{}}}", type, number, members()));
  }
  std::string item_members() const;

  const ResponsesWriterOptions options_;
  const Sink sink_;
  json::object response_;
  json::array output_;
  OpenItem open_;
  uint64_t next_sequence_number_ = 0;
  bool ended_ = false;
};

/// {"input_tokens", "input_tokens_details", ...} with all details.
json::object responses_usage(const Usage& usage);

}  // namespace gossamer::server
