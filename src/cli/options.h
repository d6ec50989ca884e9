#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gossamer::cli {

/// The options of one command. An option is declared once: its names ("-t,--temperature"), the variable that it sets,
/// and its help; a variable keeps its value where the option is absent, and help shows a value that is there as the
/// default. CLI11 does the work behind it, where it stays: its header takes seconds to compile.
class Options {
 public:
  explicit Options(CLI::App& command) : command_(command) {}

  void flag(const std::string& names, bool& value, const std::string& help);
  void text(const std::string& names, std::string& value, const std::string& help, const std::string& kind = "TEXT");
  void choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
              const std::string& help);
  /// A flag that may carry a word after "=": `alone` is its value without one.
  void choice_flag(const std::string& name, std::string& value, const std::string& alone,
                   const std::vector<std::string>& allowed, const std::string& help);
  void number(const std::string& names, std::optional<float>& value, const std::string& help);
  void integer(const std::string& names, std::optional<uint64_t>& value, const std::string& help);
  void count(const std::string& names, uint32_t& value, const std::string& help);
  /// May be given several times.
  void list(const std::string& names, std::vector<std::string>& values, const std::string& help,
            const std::string& kind);
  void required_file(const std::string& names, std::string& value, const std::string& help);
  /// Arguments without a dash, at most `max_words`.
  void words(const std::string& name, std::vector<std::string>& values, size_t max_words, const std::string& help);

  /// Adds what stood after "--" (CLI11 2.1 loses it in a subcommand). Returns the first word that is one too many, if
  /// any.
  std::optional<std::string> add_words(const std::vector<std::string>& after_dashes);

  /// The options that stood on the command line: of each the first of its long names, with dashes ("--top-p").
  std::vector<std::string> given() const;

 private:
  CLI::App& command_;
  std::vector<std::string>* words_ = nullptr;  // where words() puts them; null: the command takes none
  size_t max_words_ = 0;
};

}  // namespace gossamer::cli
