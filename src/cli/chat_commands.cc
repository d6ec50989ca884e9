#include "cli/chat_commands.h"

#include <fmt/format.h>

#include <functional>

#include "cli/suggest.h"

namespace gossamer::cli {
namespace {

struct ChatCommand {
  std::string name;
  std::string argument;  // as help shows it; empty: it takes none
  std::string help;
  std::function<Status(ChatSession&, const std::string& argument, Output&)> run;
};

Status set_effort(ChatSession& session, const std::string& argument, Output& out) {
  const auto effort = harmony::effort_from_name(argument);
  if (!effort && !argument.empty())
    return make_error(ErrorCode::kInvalidInput, "an effort is low, medium or high, not '{}'", argument);
  if (effort) session.set_effort(*effort);
  out.line(fmt::format("The model thinks with {} effort.", harmony::effort_name(session.effort())));
  return {};
}

Status toggle_reasoning(ChatSession& session, const std::string&, Output& out) {
  session.set_show_reasoning(!session.show_reasoning());
  out.line(session.show_reasoning() ? "Reasoning is shown." : "Reasoning is hidden.");
  return {};
}

/// A command that needs a file name.
template <class Work>
auto with_file(Work work, const char* done) {
  return [work, done](ChatSession& session, const std::string& file, Output& out) -> Status {
    if (file.empty()) return make_error(ErrorCode::kInvalidInput, "a file name is missing");
    GOS_TRY_STATUS((session.*work)(file));
    out.line(fmt::format(fmt::runtime(done), file));
    return {};
  };
}

Status use_tools(ChatSession& session, const std::string& file_or_words, Output& out) {
  if (file_or_words.empty()) {
    out.write(session.describe_tools());
    return {};
  }
  GOS_TRY_STATUS(session.load_tools(file_or_words));
  out.line(fmt::format("The model's tools are those of {}.", file_or_words));
  return {};
}

const std::vector<ChatCommand>& chat_commands() {
  static const std::vector<ChatCommand> commands = {
      {"reset", "", "forget the conversation",
       [](ChatSession& session, const std::string&, Output& out) {
         session.reset();
         out.line("The conversation begins anew.");
         return Status();
       }},
      {"effort", "low|medium|high", "how long the model thinks first", set_effort},
      {"show", "", "show what the model thinks, or hide it again", toggle_reasoning},
      {"system", "TEXT", "instructions for the whole conversation; none without a text",
       [](ChatSession& session, const std::string& text, Output& out) {
         session.set_instructions(text);
         out.line(text.empty() ? "There are no instructions." : "The instructions hold from the next message on.");
         return Status();
       }},
      {"tools", "FILE|TOOL",
       "functions that the model may call, or tools that run here: python, browser, mcp:...; alone: those it has",
       use_tools},
      {"save", "FILE", "write the conversation to a file", with_file(&ChatSession::save, "The conversation is in {}.")},
      {"load", "FILE", "take up a conversation from a file",
       with_file(&ChatSession::load, "The conversation from {} goes on.")},
      {"stats", "", "tokens and times of the last answer",
       [](ChatSession& session, const std::string&, Output& out) {
         out.write(session.describe_last_answer());
         return Status();
       }},
  };
  return commands;
}

void print_help(Output& out) {
  for (const ChatCommand& command : chat_commands()) {
    const std::string usage = fmt::format("/{} {}", command.name, command.argument);
    out.line(fmt::format("{:<26}{}", usage, command.help));
  }
  out.line(fmt::format("{:<26}{}", "/exit", "leave (also Ctrl-D)"));
  out.line("Ctrl-C stops an answer. A trailing \\, or \"\"\" before and after, makes a message of several lines.");
}

}  // namespace

Result<CommandEffect> run_chat_command(ChatSession& session, const std::string& line, Output& out) {
  if (!line.starts_with('/') || line.find('\n') != std::string::npos) return CommandEffect::kNotACommand;
  const size_t space = line.find(' ');
  const std::string name = line.substr(1, space == std::string::npos ? space : space - 1);
  const size_t argument_start = line.find_first_not_of(' ', space);
  const std::string argument =
      argument_start == std::string::npos || space == std::string::npos ? "" : line.substr(argument_start);

  if (name == "exit" || name == "quit" || name == "bye") return CommandEffect::kLeave;
  if (name == "help" || name == "?") {
    print_help(out);
    return CommandEffect::kDone;
  }
  std::vector<std::string> names = {"help", "exit"};
  for (const ChatCommand& command : chat_commands()) {
    if (command.name == name) {
      GOS_TRY_STATUS(command.run(session, argument, out));
      return CommandEffect::kDone;
    }
    names.push_back(command.name);
  }
  const std::string near = suggest(name, names);
  return make_error(ErrorCode::kInvalidInput, "there is no command /{}{}; /help lists them", name,
                    near.empty() ? "" : ", did you mean /" + near);
}

}  // namespace gossamer::cli
