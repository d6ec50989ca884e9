#include "cli/answer_printer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/terminal_text.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

bool stderr_is_terminal() {
  static const bool is_terminal = isatty(STDERR_FILENO) == 1;
  return is_terminal;
}

/// As much of a text as fits a line.
std::string beginning_of(std::string_view text) {
  size_t end = std::min<size_t>(text.size(), 100);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // in a character
  std::string line(text.substr(0, end));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return printable(line) + (line.size() < text.size() ? "..." : "");
}

}  // namespace

AnswerPrinter::AnswerPrinter(Output& out, bool show_reasoning) : out_(out), show_reasoning_(show_reasoning) {}

AnswerStream::Listener AnswerPrinter::listener() {
  return [this](const harmony::TextDelta& delta, const harmony::Message& message) {
    switch (harmony::text_kind(message)) {
      case harmony::TextKind::kReasoning:
        print_reasoning(delta.text);
        break;
      case harmony::TextKind::kFinal:
      case harmony::TextKind::kPreamble:
        print_text(delta);
        break;
      case harmony::TextKind::kCall:  // printed when it is whole
      case harmony::TextKind::kOther:
        break;
    }
  };
}

void AnswerPrinter::print_reasoning(std::string_view text) {
  if (!show_reasoning_) {
    hidden_bytes_ += text.size();
    thinking_.update("thinking, characters so far:", hidden_bytes_, 0);
    return;
  }
  if (!in_reasoning_) fmt::print(stderr, "{}", stderr_is_terminal() ? "\033[2m" : "thinking: ");
  in_reasoning_ = true;
  fmt::print(stderr, "{}", stderr_is_terminal() ? printable(text) : std::string(text));
  std::fflush(stderr);
}

void AnswerPrinter::end_reasoning() {
  thinking_.clear();
  if (in_reasoning_) fmt::print(stderr, "{}\n\n", stderr_is_terminal() ? "\033[0m" : "");
  in_reasoning_ = false;
}

void AnswerPrinter::print_text(const harmony::TextDelta& delta) {
  end_reasoning();
  if (line_open_ && text_message_idx_ != delta.message_idx) out_.write("\n\n");
  text_message_idx_ = delta.message_idx;
  out_.write(Output::is_terminal() ? printable(delta.text) : delta.text);
  line_open_ = !delta.text.ends_with('\n');
}

void AnswerPrinter::end_line() {
  end_reasoning();
  if (line_open_) out_.write("\n");
  line_open_ = false;
}

void AnswerPrinter::show_call(const harmony::ToolCall& call) {
  end_line();
  fmt::print(stderr, "({}: {})\n", printable(call.name), beginning_of(call.arguments));
}

void AnswerPrinter::show_result(std::string_view text) {
  fmt::print(stderr, "(gives: {})\n", beginning_of(text));
}

void AnswerPrinter::finish(const Answer& answer) {
  end_line();
  for (const harmony::ToolCall& call : answer.parts.tool_calls) out_.line(harmony::compact_json(tool_call_json(call)));
  if (answer.finish == FinishReason::kLength)
    fmt::print(stderr, "(the answer ends here: {} tokens are all it may have)\n", answer.stats.generated_tokens);
}

std::string describe_stats(const Answer& answer, uint64_t seed) {
  const GenerateStats& stats = answer.stats;
  const double rate = stats.decode_seconds > 0 ? (stats.generated_tokens - 1) / stats.decode_seconds : 0;
  return fmt::format(
      "prompt  {} tokens ({} of them cached), first token after {:.3f} s\n"
      "answer  {} tokens, {:.1f} tok/s, {}\n"
      "masked  {:.2e} of the probability, on average\n"
      "seed    {}\n",
      stats.prompt_tokens, stats.cached_tokens, stats.ttft_seconds, stats.generated_tokens, rate,
      answer.finish_reason(), stats.masked.sum / static_cast<double>(std::max<uint64_t>(stats.masked.num_tokens, 1)),
      seed);
}

}  // namespace gossamer::cli
