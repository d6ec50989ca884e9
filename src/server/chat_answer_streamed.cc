#include "harmony/json_text.h"
#include "server/call.h"
#include "server/chat_answer.h"
#include "server/json_string.h"
#include "server/sse.h"
#include "server/version.h"

namespace gossamer::server {
namespace {

/// Chunks are put together as text: the same head each time, and little in between.
class StreamedChatAnswer final : public ChatAnswer {
 public:
  StreamedChatAnswer(std::shared_ptr<Call> call, const ChatAnswerHead& head, const ChatCompletion& body)
      : call_(std::move(call)),
        timings_(head.timings),
        stream_options_(body.stream_options),
        with_logprobs_(body.request.limits.top_logprobs.has_value()),
        with_ids_(body.return_token_ids),
        shows_reasoning_(body.shows_reasoning),
        answers_function_call_(body.answers_function_call),
        choices_(body.request.num_choices),
        tally_(body.request.num_choices) {
    head_ = "data: {\"id\":" + json_string(head.id) +
            ",\"object\":\"chat.completion.chunk\",\"created\":" + std::to_string(head.created) +
            ",\"model\":" + json_string(head.model) + ",\"system_fingerprint\":\"" + kSystemFingerprint +
            "\",\"choices\":[";
  }

  void accepted(std::shared_ptr<Generation> generation) override {
    generation_ = std::move(generation);
    begin();
  }

  void take(const AnswerEvent& event) override {
    begin();
    out_.clear();
    if (with_ids_) add_ids(event);
    if (event.kind == AnswerEvent::Kind::kReasoning && !shows_reasoning_) return;
    if (!std::exchange(choices_[event.choice].has_role, true)) add_role(event);
    switch (event.kind) {
      case AnswerEvent::Kind::kReasoning:
        part_reasoning(event);
        add_text(event, "{\"reasoning\":", ",\"reasoning_content\":");
        break;
      case AnswerEvent::Kind::kPreamble:
      case AnswerEvent::Kind::kText:
        part_from_preamble(event);
        add_text(event, "{\"content\":", "");
        break;
      case AnswerEvent::Kind::kCallBegin:
        add_call_begin(event);
        break;
      case AnswerEvent::Kind::kCallArguments:
        add_call_arguments(event);
        break;
      case AnswerEvent::Kind::kServerResult:
        choices_[event.choice].reasoning_is_parted = true;
        break;
      case AnswerEvent::Kind::kCallEnd:
      case AnswerEvent::Kind::kServerTools:
      case AnswerEvent::Kind::kServerCall:
      case AnswerEvent::Kind::kApprovalRequest:
        break;
      case AnswerEvent::Kind::kEnd:
        return take_end(event);
    }
    if (!out_.empty()) call_->exchange->write(std::move(out_));
  }

 private:
  struct Choice {
    bool has_role = false, has_content = false, has_final = false;
    bool has_reasoning = false, reasoning_is_parted = false;  // parted: a tool of the server was at work since
    std::vector<TokenId> ids;                                 // since the last chunk
  };

  /// Whoever comes first, the caller or the first event, begins the stream.
  void begin() {
    std::lock_guard lock(begin_mutex_);
    if (!std::exchange(begun_, true)) begin_sse(*call_->exchange);
  }

  void add_ids(const AnswerEvent& event) {
    std::vector<TokenId>& ids = choices_[event.choice].ids;
    ids.insert(ids.end(), event.ids.begin(), event.ids.end());
  }

  /// `delta`: JSON. A null `finish`: there is more to come.
  void add_chunk(const AnswerEvent& event, std::string_view delta, std::string_view finish = "null",
                 std::string_view more = {}) {
    out_ += head_;
    out_ += "{\"index\":" + std::to_string(event.choice) + ",\"delta\":";
    out_ += delta;
    out_ += ",\"logprobs\":";
    add_logprobs(event);
    out_.append(",\"finish_reason\":").append(finish);
    if (finish != "null")
      out_ += ",\"stop_reason\":" + (event.stop_matched.empty() ? "null" : json_string(event.stop_matched));
    if (with_ids_) {
      const std::vector<TokenId> ids = std::exchange(choices_[event.choice].ids, {});
      out_ += fmt::format(",\"token_ids\":[{}]", fmt::join(ids, ","));
    }
    out_ += "}]";
    if (stream_options_.continuous_usage)
      out_ += ",\"usage\":" + harmony::compact_json(usage_so_far_to_json(event.usage));
    else if (stream_options_.include_usage)
      out_ += ",\"usage\":null";
    out_.append(more).append("}\n\n");
  }

  /// What comes with `event`, and has no tokens of its own.
  static AnswerEvent beside(const AnswerEvent& event) {
    AnswerEvent other;
    other.choice = event.choice;
    other.usage = event.usage;
    return other;
  }

  void add_role(const AnswerEvent& event) {
    add_chunk(beside(event), R"({"role":"assistant","content":"","refusal":null})");
  }

  void add_logprobs(const AnswerEvent& event) {
    if (!with_logprobs_ || event.tokens.empty()) {
      out_ += "null";
      return;
    }
    const bool is_reasoning = event.kind == AnswerEvent::Kind::kReasoning;
    json::array tokens = chat_logprobs(event.tokens);
    out_ += harmony::compact_json({{"content", is_reasoning ? json::array() : tokens},
                                   {"refusal", nullptr},
                                   {"reasoning", is_reasoning ? std::move(tokens) : json::array()}});
  }

  void add_text(const AnswerEvent& event, std::string_view key, std::string_view second_key) {
    delta_ = key;
    append_json_string(event.text, delta_);
    if (!second_key.empty()) {
      delta_ += second_key;
      append_json_string(event.text, delta_);
    }
    delta_ += '}';
    add_chunk(event, delta_);
  }

  /// As in a whole answer: a blank line where a tool of the server was at work.
  void part_reasoning(const AnswerEvent& event) {
    Choice& choice = choices_[event.choice];
    const bool was_parted = std::exchange(choice.reasoning_is_parted, false);
    if (!std::exchange(choice.has_reasoning, true) || !was_parted) return;
    AnswerEvent blank;
    blank.kind = event.kind;
    blank.choice = event.choice;
    blank.text = "\n\n";
    add_text(blank, "{\"reasoning\":", ",\"reasoning_content\":");
  }

  /// As in a whole answer: a blank line where preamble and answer meet.
  void part_from_preamble(const AnswerEvent& event) {
    Choice& choice = choices_[event.choice];
    const bool is_final = event.kind == AnswerEvent::Kind::kText;
    if (is_final != choice.has_final && choice.has_content) {
      AnswerEvent blank = beside(event);
      blank.text = "\n\n";
      add_text(blank, "{\"content\":", "");
    }
    choice.has_final = is_final;
    choice.has_content = true;
  }

  void add_call_begin(const AnswerEvent& event) {
    const std::string function = "{\"name\":" + json_string(event.name) + ",\"arguments\":\"\"}";
    delta_ = answers_function_call_ ? "{\"function_call\":" + function + "}"
                                    : "{\"tool_calls\":[{\"index\":" + std::to_string(event.call_idx) +
                                          ",\"id\":" + json_string(event.call_id) +
                                          ",\"type\":\"function\",\"function\":" + function + "}]}";
    add_chunk(event, delta_);
  }

  void add_call_arguments(const AnswerEvent& event) {
    delta_ = answers_function_call_
                 ? "{\"function_call\":{\"arguments\":"
                 : "{\"tool_calls\":[{\"index\":" + std::to_string(event.call_idx) + ",\"function\":{\"arguments\":";
    append_json_string(event.text, delta_);
    delta_ += answers_function_call_ ? "}}" : "}}]}";
    add_chunk(event, delta_);
  }

  void take_end(const AnswerEvent& event) {
    tally_.add(event);
    const bool last = tally_.complete();
    if (event.finish == AnswerEvent::Finish::kError) {
      out_ += sse_data(harmony::compact_json(openai_error_body(answer_failed(event.error))));
    } else {
      const bool tells_timings = last && timings_ && !stream_options_.include_usage;
      const bool calls_function = answers_function_call_ && event.finish == AnswerEvent::Finish::kToolCalls;
      add_chunk(event, "{}", fmt::format("\"{}\"", calls_function ? "function_call" : openai_finish(event.finish)),
                tells_timings ? timings_text() : std::string());
    }
    if (last) {
      if (stream_options_.include_usage) add_usage_chunk();
      out_ += "data: [DONE]\n\n";
      tally_.fill(*call_->record);
    }
    call_->exchange->write(std::move(out_));
    if (last) call_->exchange->end();
  }

  void add_usage_chunk() {
    out_ += head_ + "],\"usage\":" + harmony::compact_json(tally_.usage_json());
    if (timings_) out_ += timings_text();
    out_ += "}\n\n";
  }

  /// ,"ttft":...,"timings":{...}
  std::string timings_text() const {
    json::object timings;
    tally_.add_timings(timings);
    std::string text = harmony::compact_json(timings);
    text.front() = ',';
    text.pop_back();
    return text;
  }

  const std::shared_ptr<Call> call_;
  const bool timings_;
  const StreamOptions stream_options_;
  const bool with_logprobs_, with_ids_, shows_reasoning_, answers_function_call_;
  std::string head_, out_, delta_;
  std::vector<Choice> choices_;
  AnswerTally tally_;
  std::shared_ptr<Generation> generation_;
  std::mutex begin_mutex_;
  bool begun_ = false;
};

}  // namespace

std::shared_ptr<ChatAnswer> make_streamed_chat_answer(std::shared_ptr<Call> call, ChatAnswerHead head,
                                                      const ChatCompletion& body) {
  return std::make_shared<StreamedChatAnswer>(std::move(call), head, body);
}

}  // namespace gossamer::server
