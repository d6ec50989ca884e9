#include "server/tool_turn.h"

#include <utility>

#include "harmony/frame_tokens.h"
#include "harmony/render.h"

namespace gossamer::server {
namespace {

harmony::Message said(const std::string& channel, std::string text) {
  harmony::Message message = harmony::Message::from_text(harmony::Role::kAssistant, std::move(text));
  message.channel = channel;
  return message;
}

}  // namespace

void ToolTurn::take(const AnswerEvent& event) {
  tokens_.insert(tokens_.end(), event.ids.begin(), event.ids.end());
  switch (event.kind) {
    case AnswerEvent::Kind::kReasoning:
      reasoning_ += event.text;
      last_call_.reset();
      return;
    case AnswerEvent::Kind::kPreamble:
    case AnswerEvent::Kind::kText:
      last_call_.reset();
      return;
    case AnswerEvent::Kind::kCallBegin:
      last_call_.reset();
      if (event.by_server)
        open_call_ = {event.call_id, event.name, event.channel, {}};
      else
        client_calls_.push_back(event.call_id);
      return;
    case AnswerEvent::Kind::kCallArguments:
      if (event.by_server) open_call_.arguments += event.text;
      return;
    case AnswerEvent::Kind::kCallEnd:
      if (event.by_server) last_call_ = std::exchange(open_call_, {});
      return;
    default:
      return;
  }
}

void ToolTurn::add_reasoning() {
  if (!reasoning_.empty()) messages_.push_back(said("analysis", std::exchange(reasoning_, {})));
}

Status ToolTurn::add_result(const Tokenizer& tokenizer, const std::string& text) {
  const ServerCall call = *std::exchange(last_call_, std::nullopt);
  add_reasoning();
  harmony::Message question = said(call.channel, call.arguments);
  question.recipient = call.recipient;
  messages_.push_back(std::move(question));
  messages_.push_back(harmony::Message::from_tool(call.recipient, call.channel, text));

  GOS_TRY(const harmony::FrameTokens frame, harmony::FrameTokens::from(tokenizer));
  // A call may have ended as a text does; the model knows calls that end with this.
  if (tokens_.empty() || tokens_.back() != frame.call) {
    if (!tokens_.empty() && tokens_.back() == frame.end) tokens_.pop_back();
    tokens_.push_back(frame.call);
  }
  harmony::Conversation answer;
  answer.messages.push_back(messages_.back());
  harmony::RenderOptions options;
  options.auto_drop_analysis = false;
  GOS_TRY(const std::vector<TokenId> rendered,
          harmony::render_for_completion(tokenizer, answer, harmony::Role::kAssistant, options));
  tokens_.insert(tokens_.end(), rendered.begin(), rendered.end());
  return {};
}

std::vector<harmony::Message> ToolTurn::messages() const {
  std::vector<harmony::Message> all = messages_;
  if (!reasoning_.empty()) all.push_back(said("analysis", reasoning_));
  return all;
}

}  // namespace gossamer::server
