#pragma once

#include <string>
#include <vector>

#include "cli/answer_printer.h"
#include "cli/assistant.h"
#include "cli/chat.h"
#include "cli/local_tools.h"
#include "harmony/chat_setup.h"

namespace gossamer::cli {

/// A conversation with a model that can be talked to, changed, saved and taken up again.
class ChatSession {
 public:
  /// Loads the model. Errors: as loading; options out of range.
  static Result<ChatSession> start(const ChatOptions& options);

  /// Says `text` to the model, or gives it as the result of the tool that it waits for, and prints the answer. An
  /// answer that Ctrl-C stopped keeps what was printed of it; where nothing was, the turn is left out of the
  /// conversation.
  Status say(const std::string& text, Output& out);

  /// The tool call that the model waits for ("functions.get_weather"); empty where it waits for the user.
  const std::string& awaited_tool() const { return awaited_tool_; }

  void reset();
  harmony::ReasoningEffort effort() const { return setup_.effort; }
  void set_effort(harmony::ReasoningEffort effort) { setup_.effort = effort; }
  void set_instructions(const std::string& text);
  bool show_reasoning() const { return show_reasoning_; }
  void set_show_reasoning(bool show) { show_reasoning_ = show; }
  /// A file of functions, or words for tools that run here. Errors: as read_tools_file(), LocalToolOptions::start().
  Status load_tools(const std::string& file_or_words);
  /// What the model may call, a line each, and who answers.
  std::string describe_tools() const;

  /// The conversation so far, as openai-harmony's JSON. Errors: the file cannot be written, or read, or holds something
  /// else.
  Status save(const std::string& path) const;
  Status load(const std::string& path);

  /// Tokens, times and seed of the last answer.
  std::string describe_last_answer() const;
  std::string model_name() const { return assistant_.model().checkpoint.name(); }

 private:
  ChatSession(Assistant assistant, SamplingParams sampling, uint32_t max_tokens, harmony::ChatSetup setup,
              const ChatOptions& options);
  Status start_tools(const std::vector<std::string>& words);
  harmony::Conversation conversation() const;
  /// The assistant's messages of an answer, as far as they belong into the conversation. False: nothing of them does.
  bool keep(const Answer& answer);

  Assistant assistant_;
  SamplingParams sampling_;  // its seed is the next answer's: one more each time
  uint32_t max_tokens_;      // of each answer; 0: what the context holds
  harmony::ChatSetup setup_;
  ConstraintOptions constraints_;
  LocalToolOptions tool_options_;
  LocalTools tools_;
  bool show_reasoning_;
  std::vector<harmony::Message> turns_;
  std::string awaited_tool_;
  std::optional<Answer> last_answer_;
};

}  // namespace gossamer::cli
