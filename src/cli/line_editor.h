#pragma once

#include <memory>
#include <string>

namespace gossamer::cli {

/// Reads lines from stdin: edited with libedit and remembered in `history_file` on a terminal, as they come elsewhere.
class LineEditor {
 public:
  /// An empty `history_file`: nothing is remembered.
  explicit LineEditor(const std::string& history_file);
  ~LineEditor();

  enum class Outcome : uint8_t { kLine, kEndOfInput, kInterrupted };
  struct Line {
    Outcome outcome;
    std::string text;  ///< without its newline
  };
  /// `prompt` is shown on a terminal only.
  Line read(const std::string& prompt);

  /// Puts a line into the history.
  void remember(const std::string& line);

 private:
  struct Terminal;
  std::unique_ptr<Terminal> terminal_;  // null where stdin or stdout is no terminal
};

}  // namespace gossamer::cli
