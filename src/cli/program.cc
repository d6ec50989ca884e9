#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <map>
#include <sstream>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/suggest.h"

namespace gossamer::cli {
namespace {

int unknown_command(const std::string& word, std::span<const Command> commands) {
  if (word.find(' ') != std::string::npos)
    return fail_usage("", "a prompt needs a command before it.", "gossamer run \"...\"");
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  std::string near = suggest(word, names);
  return fail_usage("", fmt::format("there is no command '{}'.", word), near.empty() ? near : "gossamer " + near);
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

int too_many_words(const std::string& command, const std::string& word) {
  return fail_usage(command,
                    fmt::format("'{}' is one word too many (a prompt of several words goes in quotes).", word));
}

/// Arguments that `command` has no place for: an unknown option, or words where it takes none.
int unexpected_arguments(const CLI::App& command) {
  const std::vector<std::string> extras = command.remaining();
  const auto option =
      std::find_if(extras.begin(), extras.end(), [](const std::string& extra) { return extra.starts_with('-'); });
  if (option == extras.end()) return too_many_words(command.get_name(), extras.empty() ? "" : extras.back());
  const std::string name = option->substr(0, option->find('='));
  const std::string command_name = command.get_parent() ? command.get_name() : "";
  return fail_usage(command_name, fmt::format("there is no option {}.", name), suggest(name, option_names(command)));
}

/// Cuts off what stands behind the first "--": words, even where they begin with a dash.
std::vector<std::string> take_after_dashes(std::vector<std::string>& arguments) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes == arguments.end()) return {};
  std::vector<std::string> after(dashes + 1, arguments.end());
  arguments.erase(dashes, arguments.end());
  return after;
}

/// "bench serve" as "bench-serve", where there is such a command.
void join_words(std::vector<std::string>& arguments, std::span<const Command> commands) {
  const size_t first = !arguments.empty() && arguments[0] == "help" ? 1 : 0;
  if (arguments.size() < first + 2) return;
  const std::string joined = arguments[first] + "-" + arguments[first + 1];
  if (!is_command(joined, commands)) return;
  arguments[first] = joined;
  arguments.erase(arguments.begin() + static_cast<ptrdiff_t>(first) + 1);
}

/// `help` and `help COMMAND` as --help, `--version` as the command.
std::vector<std::string> usual_spelling(std::vector<std::string> arguments, std::span<const Command> commands) {
  join_words(arguments, commands);
  if (arguments.empty()) return arguments;
  if (arguments[0] == "--version") arguments[0] = "version";
  if (arguments[0] == "help") {
    arguments.erase(arguments.begin());
    arguments.insert(arguments.begin() + (arguments.empty() ? 0 : 1), "--help");
  }
  return arguments;
}

/// Arguments behind the command's name in its own spelling.
Status translate(std::span<const Command> commands, std::vector<std::string>& arguments) {
  for (const Command& command : commands) {
    if (command.name != arguments[0] || !command.translate) continue;
    GOS_TRY(std::vector<std::string> translated, command.translate({arguments.begin() + 1, arguments.end()}));
    translated.insert(translated.begin(), command.name);
    arguments = std::move(translated);
  }
  return {};
}

/// "bench-serve" as people type it.
std::string as_words(std::string name) {
  std::replace(name.begin(), name.end(), '-', ' ');
  return name;
}

/// CLI11's help, with a usage line and option names as people know them.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (!app->get_subcommands([](const CLI::App*) { return true; }).empty())
      return "Usage: gossamer COMMAND [OPTIONS]\n";
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); }))
      name += " " + option->get_name(/*positional=*/true);
    return "Usage: " + as_words(name) + " [OPTIONS]\n";
  }

  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(out, as_words(command->get_name()), command->get_description(), column_width_);
    return out.str();
  }

  /// CLI11 writes a flag that may carry a word as --think{show}.
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, is_positional);
    const size_t brace = name.find('{');
    return brace == std::string::npos ? name : name.substr(0, brace) + "[=WORD]";
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_positional() ? "" : CLI::Formatter::make_option_opts(option);
  }
};

void lay_out(CLI::App& app) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Show this help");
}

}  // namespace

int run_program(std::span<const Command> commands, int argc, char** argv) {
  CLI::App app("gossamer runs OpenAI's gpt-oss models on this machine.", "gossamer");
  lay_out(app);
  app.require_subcommand(0,
                         1);  // what follows a command is no other one: `gossamer gpu bench`, a prompt that is a word
  app.footer(
      "Example:\n  gossamer run \"What is the capital of France?\"\n\nHelp on one command: gossamer COMMAND --help");

  std::function<int()> action;
  std::map<std::string, Options> options;  // by command
  for (const Command& command : commands) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.summary)->group("Commands");
    lay_out(*subcommand);
    subcommand->footer("Example:\n" + command.example);
    Options& declared = options.emplace(command.name, *subcommand).first->second;
    subcommand->callback([&action, work = command.declare(declared)] { action = work; });
  }

  std::vector<std::string> arguments = usual_spelling({argv + 1, argv + argc}, commands);
  if (arguments.empty()) {
    fmt::print(stderr, "{}", app.help());
    return kWrongUsage;
  }
  const std::string name = arguments[0];
  if (!name.starts_with('-') && !is_command(name, commands)) return unknown_command(name, commands);
  const std::vector<std::string> after_dashes = take_after_dashes(arguments);
  if (const Status translated = translate(commands, arguments); !translated.ok())
    return fail_usage(name, translated.error().message);
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    app.parse(arguments);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ExtrasError&) {
    return is_command(name, commands) ? unexpected_arguments(*app.get_subcommand(name)) : unexpected_arguments(app);
  } catch (const CLI::ParseError& error) {
    return fail_usage(is_command(name, commands) ? name : "", error.what());
  }
  const auto chosen = options.find(name);
  if (chosen == options.end()) return fail_usage("", "the command is missing.");
  if (const auto extra = chosen->second.add_words(after_dashes)) return too_many_words(name, *extra);
  return action();
}

}  // namespace gossamer::cli
