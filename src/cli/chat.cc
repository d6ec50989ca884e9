#include "cli/chat.h"

#include <fmt/format.h>

#include <optional>

#include "cli/chat_commands.h"
#include "cli/chat_session.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/history_file.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/terminal_text.h"

namespace gossamer::cli {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";  // opens and closes a message of several lines

/// Reads a message: a line; lines up to one that does not end in a backslash; or all between a pair of """.
LineEditor::Line read_message(LineEditor& editor, const std::string& prompt) {
  LineEditor::Line line = editor.read(prompt);
  std::string message;
  bool quoted = false;
  while (line.outcome == LineEditor::Outcome::kLine) {
    editor.remember(line.text);
    std::string_view text = line.text;
    const bool opens = !quoted && message.empty() && text.starts_with(kQuotes);
    if (opens) {
      quoted = true;
      text.remove_prefix(kQuotes.size());
    }
    const bool closes = quoted && text.ends_with(kQuotes);
    const bool goes_on = !quoted && text.ends_with('\\');
    if (closes) text.remove_suffix(kQuotes.size());
    if (goes_on) text.remove_suffix(1);
    message += text;
    if (closes || (!quoted && !goes_on)) return {line.outcome, message};
    if (!opens || !text.empty()) message += '\n';
    line = editor.read("... ");
  }
  return line;
}

std::string prompt_for(const ChatSession& session) {
  return session.awaited_tool().empty() ? ">>> " : printable(session.awaited_tool()) + " gives> ";
}

int talk(ChatSession& session, bool verbose) {
  Output out;
  InterruptGuard interrupt;
  LineEditor editor(HistoryFile::default_path());
  bool interrupted_before = false;
  while (out.ok()) {
    const LineEditor::Line line = read_message(editor, prompt_for(session));
    if (line.outcome == LineEditor::Outcome::kEndOfInput) break;
    if (line.outcome == LineEditor::Outcome::kInterrupted) {
      InterruptGuard::clear();
      if (interrupted_before) return kInterrupted;
      interrupted_before = true;
      fmt::print(stderr, "(Ctrl-C again, Ctrl-D or /exit leaves)\n");
      continue;
    }
    interrupted_before = false;
    if (line.text.find_first_not_of(" \t\n") == std::string::npos) continue;

    Result<CommandEffect> effect = run_chat_command(session, line.text, out);
    Status status = effect.ok() ? Status() : Status(effect.error());
    if (effect.ok() && *effect == CommandEffect::kLeave) break;
    if (effect.ok() && *effect == CommandEffect::kNotACommand) {
      status = session.say(line.text, out);
      if (status.ok() && verbose) fmt::print(stderr, "{}", session.describe_last_answer());
    }
    if (!status.ok()) fail(status.error());
    InterruptGuard::clear();
  }
  return out.close();
}

}  // namespace

void ChatOptions::declare(Options& options) {
  model.declare(options);
  engine.declare(options);
  setup.declare(options);
  tools.declare(options);
  options.flag("--show-reasoning", show_reasoning, "Print what the model thinks, on stderr");
  sampling.declare(options);
  constraints.declare(options);
  options.flag("--verbose", verbose, "Print tokens per second, times and the seed on stderr");
}

int chat(const ChatOptions& options) {
  Result<ChatSession> session = ChatSession::start(options);
  if (!session.ok()) return fail(session.error());
  if (Output::is_terminal())
    fmt::print(stderr, "{}: ask something, or /help. A trailing \\ or \"\"\" goes on with the next line.\n",
               session->model_name());
  return talk(*session, options.verbose);
}

}  // namespace gossamer::cli
