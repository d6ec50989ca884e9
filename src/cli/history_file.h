#pragma once

#include <string>
#include <vector>

namespace gossamer::cli {

/// Lines that a user typed, in a file that only the user can read, one a line. Where it cannot be read or written
/// nothing is remembered: a chat works without.
class HistoryFile {
 public:
  static constexpr size_t kKeptLines = 1000;

  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  /// The newest kKeptLines lines, oldest first.
  std::vector<std::string> load() const;
  void append(const std::string& line) const;

  /// $XDG_STATE_HOME/gossamer/history, else ~/.local/state/gossamer/history; empty where there is no home.
  static std::string default_path();

 private:
  std::string path_;
};

}  // namespace gossamer::cli
