#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace gossamer::cli {

/// Writes lines of a log from a thread of its own: who logs never waits for whoever reads the log. Lines that find more
/// than `most_waiting_bytes` before them are dropped, and a line tells how many.
class LogWriter {
 public:
  explicit LogWriter(int fd, uint64_t most_waiting_bytes = 1u << 20);
  /// Writes what waits; a reader who does not read is given up after a second.
  ~LogWriter();

  /// One line, without its end. Any thread; does not block.
  void write(std::string line);

 private:
  struct State;
  static void run(State& state);

  std::shared_ptr<State> state_;  // shared with the thread, which may be left behind
};

}  // namespace gossamer::cli
