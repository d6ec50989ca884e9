#pragma once

#include <string>

#include "cli/answer_stream.h"
#include "cli/output.h"
#include "cli/progress_line.h"

namespace gossamer::cli {

/// Prints an answer as it comes: its text on stdout; its reasoning, where wanted, on stderr (dim on a terminal); tool
/// calls as JSON lines at the end. Control characters do not reach a terminal.
class AnswerPrinter {
 public:
  AnswerPrinter(Output& out, bool show_reasoning);

  AnswerStream::Listener listener();
  /// A call of a tool that runs here, and what it gave: the beginning of each on stderr.
  void show_call(const harmony::ToolCall& call);
  void show_result(std::string_view text);
  /// Ends the line, prints the calls, and says on stderr why an answer is short.
  void finish(const Answer& answer);

 private:
  void print_reasoning(std::string_view text);
  void end_reasoning();
  void end_line();
  void print_text(const harmony::TextDelta& delta);

  Output& out_;
  bool show_reasoning_;
  bool in_reasoning_ = false;
  bool line_open_ = false;       // of stdout
  size_t text_message_idx_ = 0;  // the message that was printed last
  uint64_t hidden_bytes_ = 0;
  ProgressLine thinking_;  // stands in for reasoning that is not shown
};

/// Numbers about an answer, for --verbose and /stats: a few lines of text.
std::string describe_stats(const Answer& answer, uint64_t seed);

}  // namespace gossamer::cli
