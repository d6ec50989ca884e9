#include "cli/tool_rounds.h"

#include <utility>

namespace gossamer::cli {
namespace {

constexpr uint32_t kMostCalls = 32;

/// What comes after the calls that were asked for.
void let_go(ConstraintOptions& constraints, uint32_t num_calls) {
  if (constraints.tool_choice != "none") constraints.tool_choice = "auto";
  if (num_calls == kMostCalls) constraints.tool_choice = "none";
}

/// The call that a round ended with, where it is of a tool that runs here.
std::optional<harmony::ToolCall> call_of(const Answer& round, const LocalTools& tools) {
  if (round.finish != FinishReason::kStop || round.messages.empty()) return std::nullopt;
  const harmony::Message& last = round.messages.back();
  if (harmony::text_kind(last) != harmony::TextKind::kCall || !tools.answers_to(*last.recipient)) return std::nullopt;
  return harmony::ToolCall{*last.recipient, last.text()};
}

void add_round(Answer& all, const Answer& round) {
  all.messages.insert(all.messages.end(), round.messages.begin(), round.messages.end());
  all.finish = round.finish;
  all.stats.generated_tokens += round.stats.generated_tokens;
  all.stats.decode_seconds += round.stats.decode_seconds;
  all.stats.masked.sum += round.stats.masked.sum;
  all.stats.masked.num_tokens += round.stats.masked.num_tokens;
}

}  // namespace

Result<Answer> answer_with_tools(Assistant& assistant, LocalTools& tools, const Assistant::Request& request,
                                 AnswerPrinter* printer, const std::function<bool()>& go_on) {
  harmony::Conversation conversation = request.conversation;
  ConstraintOptions constraints = request.constraints;
  Answer all;
  for (uint32_t num_calls = 0;;) {
    uint32_t max_tokens = request.max_tokens;
    if (max_tokens > 0) max_tokens -= all.stats.generated_tokens;
    GOS_TRY(const Answer round, assistant.answer({conversation, request.sampling, max_tokens, constraints},
                                                 printer ? printer->listener() : AnswerStream::Listener(), go_on));
    const std::optional<harmony::ToolCall> call = call_of(round, tools);
    if (num_calls == 0)
      all = round;
    else
      add_round(all, round);
    if (!call || num_calls == kMostCalls) break;  // a model that nothing holds may go on calling

    if (printer) printer->show_call(*call);
    const std::string text = tools.run(*call, go_on);
    if (printer) printer->show_result(text);
    all.messages.push_back(
        harmony::Message::from_tool(call->name, round.messages.back().channel.value_or("commentary"), text));
    conversation.messages.insert(conversation.messages.end(), round.messages.begin(), round.messages.end());
    conversation.messages.push_back(all.messages.back());
    let_go(constraints, ++num_calls);
    if (!go_on()) all.finish = FinishReason::kCancelled;
    if (max_tokens > 0 && max_tokens <= round.stats.generated_tokens) all.finish = FinishReason::kLength;
    if (all.finish != FinishReason::kStop) break;
  }
  all.parts = harmony::extract_answer(all.messages);
  std::erase_if(all.parts.tool_calls, [&](const harmony::ToolCall& call) { return tools.answers_to(call.name); });
  return all;
}

}  // namespace gossamer::cli
