#include "cli/chat_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/mmap_file.h"
#include "cli/interrupt.h"
#include "cli/tool_rounds.h"
#include "cli/tools_file.h"
#include "harmony/conversation_json.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestConversationBytes = 64 << 20;

json::array messages_json(const std::vector<harmony::Message>& messages) {
  json::array list;
  for (const harmony::Message& message : messages) list.push_back(harmony::message_to_json(message));
  return list;
}

/// What the system and developer messages at the head of a conversation say, as far as a chat can say it.
harmony::ChatSetup setup_of(const std::vector<harmony::Message>& head) {
  harmony::ChatSetup setup;
  for (const harmony::Message& message : head) {
    for (const harmony::Content& content : message.contents) {
      if (const auto* system = std::get_if<harmony::SystemContent>(&content)) {
        setup.effort = system->reasoning_effort.value_or(setup.effort);
        setup.date = system->conversation_start_date.value_or("");
        for (const auto& [name, tool] : system->tools) setup.built_ins.push_back(tool);
      } else if (const auto* developer = std::get_if<harmony::DeveloperContent>(&content)) {
        setup.instructions = developer->instructions;
        const auto functions = developer->tools.find("functions");
        if (functions != developer->tools.end()) setup.functions = functions->second.tools;
      }
    }
  }
  return setup;
}

}  // namespace

Result<ChatSession> ChatSession::start(const ChatOptions& options) {
  GOS_TRY(harmony::ChatSetup setup, options.setup.make());
  GOS_TRY(Assistant assistant, Assistant::load(options.model, options.engine));
  GOS_TRY(SamplingParams sampling, options.sampling.resolve(assistant.model().checkpoint.generation()));
  GOS_TRY(const uint32_t max_tokens, options.sampling.resolve_max_tokens());
  ChatSession session(std::move(assistant), std::move(sampling), max_tokens, std::move(setup), options);
  GOS_TRY_STATUS(session.start_tools(options.setup.local_tools()));
  return session;
}

ChatSession::ChatSession(Assistant assistant, SamplingParams sampling, uint32_t max_tokens, harmony::ChatSetup setup,
                         const ChatOptions& options)
    : assistant_(std::move(assistant)),
      sampling_(std::move(sampling)),
      max_tokens_(max_tokens),
      setup_(std::move(setup)),
      constraints_(options.constraints),
      tool_options_(options.tools),
      show_reasoning_(options.reasoning_shown()) {}

harmony::Conversation ChatSession::conversation() const {
  harmony::Conversation conversation = harmony::start_conversation(setup_);
  conversation.messages.insert(conversation.messages.end(), turns_.begin(), turns_.end());
  return conversation;
}

Status ChatSession::say(const std::string& text, Output& out) {
  turns_.push_back(awaited_tool_.empty() ? harmony::Message::from_text(harmony::Role::kUser, text)
                                         : harmony::Message::from_tool(awaited_tool_, "commentary", text));
  AnswerPrinter printer(out, show_reasoning_);
  auto go_on = [&] { return out.ok() && !InterruptGuard::requested(); };
  const harmony::Conversation said = conversation();
  Result<Answer> answer =
      answer_with_tools(assistant_, tools_, {said, sampling_, max_tokens_, constraints_}, &printer, go_on);
  if (!answer.ok()) {
    turns_.pop_back();
    return answer.error();
  }
  printer.finish(*answer);
  if (!keep(*answer)) {
    turns_.pop_back();
    fmt::print(stderr, "(there was no answer yet: your message is left out of the conversation)\n");
  }
  last_answer_ = std::move(*answer);
  ++sampling_.seed;  // the same question again may be answered anew, and a chat with --seed can be repeated as a whole
  return {};
}

bool ChatSession::keep(const Answer& answer) {
  const harmony::Answer& parts = answer.parts;
  if (parts.final_text.empty() && parts.preamble_text.empty() && parts.tool_calls.empty()) return false;
  turns_.insert(turns_.end(), answer.messages.begin(), answer.messages.end());
  awaited_tool_ = parts.tool_calls.empty() ? "" : parts.tool_calls.back().name;
  return true;
}

void ChatSession::reset() {
  turns_.clear();
  awaited_tool_.clear();
  tools_.forget();
}

void ChatSession::set_instructions(const std::string& text) {
  setup_.instructions = text.empty() ? std::nullopt : std::optional(text);
}

Status ChatSession::load_tools(const std::string& file_or_words) {
  if (tools::begins_with_tool(file_or_words)) return start_tools({file_or_words});
  GOS_TRY(setup_.functions, read_tools_file(file_or_words));
  return {};
}

Status ChatSession::start_tools(const std::vector<std::string>& words) {
  GOS_TRY(tools::Toolset started, tool_options_.start(words));
  tools_ = LocalTools(std::move(started));
  setup_.built_ins = tools_.descriptions();
  return {};
}

std::string ChatSession::describe_tools() const {
  std::string text;
  const auto add = [&](const std::string& recipient) {
    text += fmt::format("{:<26}{}\n", recipient, tools_.answers_to(recipient) ? "runs here" : "you give its results");
  };
  for (const harmony::ToolNamespace& space : setup_.built_ins) {
    if (space.tools.empty()) add(space.name);
    for (const harmony::ToolDescription& tool : space.tools) add(space.name + "." + tool.name);
  }
  for (const harmony::ToolDescription& function : setup_.functions) add("functions." + function.name);
  return text.empty() ? "The model has no tools.\n" : text;
}

Status ChatSession::save(const std::string& path) const {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << harmony::compact_json(json::object{{"messages", messages_json(conversation().messages)}}) << '\n';
  file.close();
  if (!file) return make_error(ErrorCode::kIo, "cannot write the conversation to {}", path);
  return {};
}

Status ChatSession::load(const std::string& path) {
  GOS_TRY(const std::string text, read_file(path, kLargestConversationBytes));
  GOS_TRY(const json::value document, harmony::parse_json_like_serde(text, path));
  GOS_TRY(harmony::Conversation loaded, harmony::conversation_from_json(document));

  const auto first_turn =
      std::find_if(loaded.messages.begin(), loaded.messages.end(), [](const harmony::Message& message) {
        return message.role != harmony::Role::kSystem && message.role != harmony::Role::kDeveloper;
      });
  const std::vector<harmony::Message> head(loaded.messages.begin(), first_turn);
  harmony::ChatSetup setup = setup_of(head);
  if (messages_json(head) != messages_json(harmony::start_conversation(setup).messages))
    return make_error(ErrorCode::kUnsupported,
                      "{} begins with a system or developer message that says more than a chat can set", path);

  setup_ = std::move(setup);
  turns_.assign(first_turn, loaded.messages.end());
  awaited_tool_.clear();
  if (!turns_.empty() && harmony::text_kind(turns_.back()) == harmony::TextKind::kCall)
    awaited_tool_ = *turns_.back().recipient;
  return {};
}

std::string ChatSession::describe_last_answer() const {
  if (!last_answer_) return "There is no answer yet.\n";
  return describe_stats(*last_answer_, sampling_.seed - 1);
}

}  // namespace gossamer::cli
