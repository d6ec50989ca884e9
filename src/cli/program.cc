#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "cli/command.h"
#include "cli/suggest.h"

namespace gossamer::cli {
namespace {

/// Prints what is wrong and where help is. Returns the exit code.
int wrong_usage(const std::string& what, const std::string& hint, const std::string& command) {
  fmt::print(stderr, "gossamer: {}\n", what);
  if (!hint.empty()) fmt::print(stderr, "Did you mean {}?\n", hint);
  fmt::print(stderr, "Help: gossamer {}--help\n", command.empty() ? "" : command + " ");
  return kWrongUsage;
}

int unknown_command(const std::string& word, std::span<const Command> commands) {
  if (word.find(' ') != std::string::npos)
    return wrong_usage("a prompt needs a command before it.", "gossamer run \"...\"", "");
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  std::string near = suggest(word, names);
  return wrong_usage(fmt::format("there is no command '{}'.", word), near.empty() ? near : "gossamer " + near, "");
}

bool is_command(const std::string& word, std::span<const Command> commands) {
  return std::any_of(commands.begin(), commands.end(), [&](const Command& command) { return command.name == word; });
}

/// The long options of `command`, with their dashes.
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// Arguments that `command` has no place for: an unknown option, or too many words.
int unexpected_arguments(const CLI::App& command) {
  std::string first;
  for (const std::string& extra : command.remaining()) {
    first = extra;
    if (extra.starts_with('-')) break;
  }
  if (!first.starts_with('-'))
    return wrong_usage(fmt::format("'{}' is one word too many (a prompt of several words goes in quotes).", first), "", command.get_name());
  std::string name = first.substr(0, first.find('='));
  return wrong_usage(fmt::format("'{}' has no option {}.", command.get_name(), name), suggest(name, option_names(command)),
                     command.get_name());
}

void lay_out(CLI::App& app) {
  auto formatter = std::make_shared<CLI::Formatter>();
  formatter->column_width(34);
  app.formatter(formatter);
  app.set_help_flag("-h,--help", "Show this help");
}

}  // namespace

int run_program(std::span<const Command> commands, int argc, char** argv) {
  CLI::App app("gossamer runs OpenAI's gpt-oss models on this machine.", "gossamer");
  lay_out(app);
  app.footer("Example:\n  gossamer run \"What is the capital of France?\"\n\nHelp on one command: gossamer COMMAND --help");
  app.require_subcommand(1);

  std::function<int()> action;
  for (const Command& command : commands) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.summary);
    lay_out(*subcommand);
    subcommand->footer("Example:\n" + command.example);
    Options options(*subcommand);
    subcommand->callback([&action, work = command.declare(options)] { action = work; });
  }

  std::string first = argc > 1 ? argv[1] : "";
  if (first == "--version") first = argv[1] = const_cast<char*>("version");
  if (first.empty()) {
    fmt::print(stderr, "{}", app.help());
    return kWrongUsage;
  }
  if (!first.starts_with('-') && !is_command(first, commands)) return unknown_command(first, commands);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ExtrasError&) {
    auto chosen = app.get_subcommands();
    return unexpected_arguments(chosen.empty() ? app : *chosen.front());
  } catch (const CLI::ParseError& error) {
    auto chosen = app.get_subcommands();
    return wrong_usage(error.what(), "", chosen.empty() ? "" : chosen.front()->get_name());
  }
  return action();
}

}  // namespace gossamer::cli
