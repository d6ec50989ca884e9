#include <cstdlib>
#include <optional>
#include <utility>

#include "tools/child_process.h"
#include "tools/mcp_client.h"

namespace gossamer::tools {
namespace {

constexpr size_t kLongestLineBytes = 16 << 20;

/// A command's words, parted at blanks; within quotes they stay.
std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  for (const char c : command) {
    if (quote) {
      if (c == quote)
        quote = '\0';
      else
        words.back() += c;
      continue;
    }
    if (c == ' ') {
      in_word = false;
      continue;
    }
    if (!std::exchange(in_word, true)) words.emplace_back();
    if (c == '"' || c == '\'')
      quote = c;
    else
      words.back() += c;
  }
  return words;
}

/// What such servers need to find their interpreters and caches; keys and tokens of this program stay here.
std::vector<std::string> plain_environment() {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR"})
    if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

class McpStdio final : public McpTransport {
 public:
  explicit McpStdio(std::string command) : command_(std::move(command)) {}

  Status open(Clock::time_point, const Cancellation&) override {
    process_.reset();
    unread_.clear();
    searched_ = 0;
    ChildOptions options;
    options.command = words_of(command_);
    if (options.command.empty()) return make_error(ErrorCode::kInvalidInput, "the command of the server is empty");
    options.environment = plain_environment();
    GOS_TRY(ChildProcess process, ChildProcess::start(options));
    process_.emplace(std::move(process));
    return {};
  }

  bool is_closed() const override { return !process_.has_value(); }

  Result<McpMessage> ask(int64_t id, const std::string& text, Clock::time_point deadline,
                         const Cancellation& cancelled) override {
    GOS_TRY_STATUS(tell(text, deadline, cancelled));
    for (;;) {
      GOS_TRY(const std::string line, read_line(deadline, cancelled));
      const Result<McpMessage> message = parse_mcp_message(line);
      if (!message.ok()) continue;  // some print other things
      if (message->answers(id)) return *message;
      if (message->kind == McpMessage::Kind::kRequest)
        GOS_TRY_STATUS(tell(mcp_answer(message->id, message->method), deadline, cancelled));
    }
  }

  Status tell(const std::string& text, Clock::time_point deadline, const Cancellation& cancelled) override {
    if (process_ && process_->write(text + "\n", deadline, cancelled)) return {};
    return gone("it reads nothing");
  }

 private:
  /// A process that did not answer as it should is not spoken to again: its answer could come to the next question.
  Error gone(std::string_view why) {
    process_.reset();
    return make_error(ErrorCode::kIo, "the server has no answer: {}", why);
  }

  Result<std::string> read_line(Clock::time_point deadline, const Cancellation& cancelled) {
    for (;;) {
      const size_t end = unread_.find('\n', searched_);
      if (end != std::string::npos) {
        std::string line = unread_.substr(0, end);
        unread_.erase(0, end + 1);
        searched_ = 0;
        return line;
      }
      searched_ = unread_.size();
      if (unread_.size() > kLongestLineBytes) return gone("a line of it has no end");
      switch (process_->read(unread_, deadline, cancelled)) {
        case ChildProcess::ReadEnd::kBytes:
          break;
        case ChildProcess::ReadEnd::kEnd:
          return gone("it has ended");
        case ChildProcess::ReadEnd::kDeadline:
          return gone("its time was over");
        case ChildProcess::ReadEnd::kCancelled:
          return gone("nobody waits for it any more");
      }
    }
  }

  const std::string command_;
  std::optional<ChildProcess> process_;
  std::string unread_;
  size_t searched_ = 0;  // bytes of it that hold no line end
};

}  // namespace

std::unique_ptr<McpTransport> make_mcp_stdio(std::string command) {
  return std::make_unique<McpStdio>(std::move(command));
}

}  // namespace gossamer::tools
