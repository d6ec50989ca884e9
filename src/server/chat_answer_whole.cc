#include "server/call.h"
#include "server/chat_answer.h"
#include "server/version.h"

namespace gossamer::server {
namespace {

/// One choice as it grows.
struct Choice {
  std::string content, reasoning;
  bool has_final = false;            // something of the final channel is in `content`
  bool reasoning_is_parted = false;  // a tool of the server was at work since
  struct FunctionCall {
    std::string id, name, arguments;
  };
  std::vector<FunctionCall> calls;
  std::vector<ScoredToken> content_tokens, reasoning_tokens;
  std::vector<TokenId> ids;
  std::string_view finish;
  std::string stop_matched;
};

void append(const std::vector<ScoredToken>& tokens, std::vector<ScoredToken>& out) {
  out.insert(out.end(), tokens.begin(), tokens.end());
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

class WholeChatAnswer final : public ChatAnswer {
 public:
  WholeChatAnswer(std::shared_ptr<Call> call, ChatAnswerHead head, const ChatCompletion& body)
      : call_(std::move(call)),
        head_(std::move(head)),
        with_logprobs_(body.request.limits.top_logprobs.has_value()),
        with_ids_(body.return_token_ids),
        shows_reasoning_(body.shows_reasoning),
        answers_function_call_(body.answers_function_call),
        choices_(body.request.num_choices),
        tally_(body.request.num_choices) {}

  void accepted(std::shared_ptr<Generation> generation) override { generation_ = std::move(generation); }

  void take(const AnswerEvent& event) override {
    Choice& choice = choices_[event.choice];
    if (with_ids_) choice.ids.insert(choice.ids.end(), event.ids.begin(), event.ids.end());
    switch (event.kind) {
      case AnswerEvent::Kind::kReasoning:
        if (!shows_reasoning_) return;
        if (std::exchange(choice.reasoning_is_parted, false) && !choice.reasoning.empty()) choice.reasoning += "\n\n";
        choice.reasoning += event.text;
        return append(event.tokens, choice.reasoning_tokens);
      case AnswerEvent::Kind::kPreamble:
      case AnswerEvent::Kind::kText:
        return add_content(event, choice);
      case AnswerEvent::Kind::kCallBegin:
        choice.calls.push_back({event.call_id, event.name, {}});
        return;
      case AnswerEvent::Kind::kCallArguments:
        choice.calls[event.call_idx].arguments += event.text;
        return;
      case AnswerEvent::Kind::kServerResult:
        choice.reasoning_is_parted = true;
        return;
      case AnswerEvent::Kind::kCallEnd:
      case AnswerEvent::Kind::kServerTools:
      case AnswerEvent::Kind::kServerCall:
      case AnswerEvent::Kind::kApprovalRequest:
        return;
      case AnswerEvent::Kind::kEnd:
        choice.finish = openai_finish(event.finish);
        choice.stop_matched = event.stop_matched;
        tally_.add(event);
        if (tally_.complete()) respond();
    }
  }

 private:
  /// A preamble is said to the user too: content, parted from the answer by a blank line.
  static void add_content(const AnswerEvent& event, Choice& choice) {
    const bool is_final = event.kind == AnswerEvent::Kind::kText;
    if (is_final != choice.has_final && !choice.content.empty()) choice.content += "\n\n";
    choice.has_final = is_final;
    choice.content += event.text;
    append(event.tokens, choice.content_tokens);
  }

  void add_calls(const Choice& choice, json::object& message) const {
    json::array calls;
    for (const Choice::FunctionCall& call : choice.calls)
      calls.push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    if (calls.empty()) return;
    if (answers_function_call_)
      message["function_call"] = calls.front().at("function");
    else
      message["tool_calls"] = std::move(calls);
  }

  std::string_view finish_of(const Choice& choice) const {
    return answers_function_call_ && choice.finish == "tool_calls" ? "function_call" : choice.finish;
  }

  json::object choice_json(uint32_t index) const {
    const Choice& choice = choices_[index];
    json::object message = {
        {"role", "assistant"},
        {"content", choice.calls.empty() ? json::value(choice.content) : text_or_null(choice.content)},
        {"refusal", nullptr},
        {"annotations", json::array()},
        {"reasoning", text_or_null(choice.reasoning)},
        {"reasoning_content", text_or_null(choice.reasoning)}};
    add_calls(choice, message);
    json::value logprobs = nullptr;
    if (with_logprobs_)
      logprobs = {{"content", chat_logprobs(choice.content_tokens)},
                  {"refusal", nullptr},
                  {"reasoning", chat_logprobs(choice.reasoning_tokens)}};
    json::object object = {{"index", index},
                           {"message", std::move(message)},
                           {"logprobs", std::move(logprobs)},
                           {"finish_reason", finish_of(choice)},
                           {"stop_reason", text_or_null(choice.stop_matched)}};
    if (with_ids_) object["token_ids"] = json::array(choice.ids.begin(), choice.ids.end());
    return object;
  }

  void respond() {
    tally_.fill(*call_->record);
    if (!tally_.error().empty()) return call_->respond(answer_failed(tally_.error()));
    json::array choices;
    for (uint32_t i = 0; i < choices_.size(); ++i) choices.push_back(choice_json(i));
    json::object answer = {{"id", head_.id},
                           {"object", "chat.completion"},
                           {"created", head_.created},
                           {"model", head_.model},
                           {"choices", std::move(choices)},
                           {"usage", tally_.usage_json()},
                           {"service_tier", "default"},
                           {"system_fingerprint", kSystemFingerprint}};
    if (head_.timings) tally_.add_timings(answer);
    call_->respond(answer);
  }

  const std::shared_ptr<Call> call_;
  const ChatAnswerHead head_;
  const bool with_logprobs_, with_ids_, shows_reasoning_, answers_function_call_;
  std::vector<Choice> choices_;
  AnswerTally tally_;
  std::shared_ptr<Generation> generation_;
};

}  // namespace

std::shared_ptr<ChatAnswer> make_whole_chat_answer(std::shared_ptr<Call> call, ChatAnswerHead head,
                                                   const ChatCompletion& body) {
  return std::make_shared<WholeChatAnswer>(std::move(call), std::move(head), body);
}

}  // namespace gossamer::server
