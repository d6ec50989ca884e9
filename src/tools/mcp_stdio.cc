#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "tools/child_process.h"
#include "tools/mcp_connection.h"

namespace gossamer::tools {
namespace {

constexpr size_t kLongestLineBytes = 16 << 20;
constexpr size_t kMostUnreadBytes = 64 << 20;  // of lines that the process has not read yet

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

/// A process with a thread that reads what it says and one that writes what it is told: callers only wait, each for the
/// answer with its own id.
class McpStdio final : public McpConnection {
 public:
  McpStdio(ChildProcess process, Clock::duration longest_silence)
      : longest_silence_(longest_silence),
        process_(std::move(process)),
        reader_([this] { read_lines(); }),
        writer_([this] { write_lines(); }) {}

  ~McpStdio() override {
    {
      const std::lock_guard lock(mutex_);
      break_off("it is needed no more");
    }
    reader_.join();
    writer_.join();
  }

  bool is_open() override {
    const std::lock_guard lock(mutex_);
    if (is_silent()) break_off("it is silent");
    return end_.empty();
  }

  Result<McpMessage> ask(std::string_view method, const json::value& params, Clock::time_point deadline,
                         const Cancellation& cancelled) override {
    constexpr Clock::duration kLook = std::chrono::milliseconds(50);
    std::unique_lock lock(mutex_);
    const int64_t id = next_id_++;
    const auto answer = asked_.try_emplace(id).first;
    write(mcp_request(id, method, params));
    for (;;) {
      if (answer->second) {
        McpMessage message = std::move(*answer->second);
        asked_.erase(answer);
        return message;
      }
      if (is_silent()) break_off("it is silent");
      std::string why = end_;
      if (why.empty() && cancelled.requested()) why = "nobody waits for it any more";
      if (why.empty() && Clock::now() >= deadline) why = "its time was over";
      if (!why.empty()) {
        asked_.erase(answer);
        if (end_.empty() && method != "initialize") give_up(id, why);  // that one must not be cancelled
        return no_answer(why);
      }
      news_.wait_for(lock, std::min(kLook, deadline - Clock::now()));
    }
  }

  Status tell(std::string_view method, Clock::time_point, const Cancellation&) override {
    const std::lock_guard lock(mutex_);
    write(mcp_notification(method));
    if (!end_.empty()) return no_answer(end_);
    return {};
  }

  void agree_on(const std::string&) override {}  // lines are the same in all of them

 private:
  static Error no_answer(std::string_view why) {
    return make_error(ErrorCode::kIo, "the server has no answer: {}", why);
  }

  // With the mutex, from here on to the threads.

  void write(std::string line) {
    unread_bytes_ += line.size();
    if (unread_bytes_ > kMostUnreadBytes) return break_off("it reads nothing");
    to_write_.push_back(std::move(line));
    lines_wait_.notify_one();
  }

  void give_up(int64_t id, std::string_view why) {
    write(mcp_cancelled(id, why));
    if (ping_) return;
    ping_ = next_id_++;
    heard_ = Clock::now();
    write(mcp_request(*ping_, "ping", json::object()));
  }

  /// A server may take its time with a call; with a ping it may not.
  bool is_silent() const { return ping_ && Clock::now() - heard_ > longest_silence_; }

  /// The end for all who wait, and for the process; the first reason is the one that is told.
  void break_off(std::string_view why) {
    if (end_.empty()) end_ = why;
    ending_.request();
    news_.notify_all();
    lines_wait_.notify_all();
  }

  void take(McpMessage message) {
    if (message.kind == McpMessage::Kind::kRequest) return write(mcp_answer(message.id, message.method));
    const std::optional<int64_t> id = message.answered_id();
    if (!id) return;
    if (ping_ == id) ping_.reset();
    const auto asked = asked_.find(*id);
    if (asked == asked_.end() || asked->second) return;  // too late, or for nobody
    asked->second = std::move(message);
    news_.notify_all();
  }

  // Without it: what the threads do.

  void read_lines() {
    const std::string_view why = read_until_broken();
    {
      const std::lock_guard lock(mutex_);
      break_off(why);
    }
    process_.end();
  }

  std::string_view read_until_broken() {
    std::string bytes;
    size_t searched = 0;  // bytes that hold no line end
    while (process_.read(bytes, Clock::time_point::max(), ending_) == ChildProcess::ReadEnd::kBytes) {
      size_t begin = 0;
      for (size_t end = bytes.find('\n', searched); end != std::string::npos; end = bytes.find('\n', begin)) {
        take_line(std::string_view(bytes).substr(begin, end - begin));
        begin = end + 1;
      }
      bytes.erase(0, begin);
      searched = bytes.size();
      if (bytes.size() > kLongestLineBytes) return "a line of it has no end";
    }
    return "it has ended";
  }

  void take_line(std::string_view line) {
    Result<std::vector<McpMessage>> messages = parse_mcp_messages(line);
    if (!messages.ok()) return;  // some print other things
    const std::lock_guard lock(mutex_);
    heard_ = Clock::now();
    for (McpMessage& message : *messages) take(std::move(message));
  }

  void write_lines() {
    std::unique_lock lock(mutex_);
    for (;;) {
      lines_wait_.wait(lock, [this] { return !to_write_.empty() || !end_.empty(); });
      if (!end_.empty()) return;
      const std::string line = std::move(to_write_.front()) + "\n";
      to_write_.pop_front();
      lock.unlock();
      const bool written = process_.write(line, Clock::time_point::max(), ending_);
      lock.lock();
      unread_bytes_ -= line.size() - 1;
      if (!written) return break_off("it reads nothing");
    }
  }

  const Clock::duration longest_silence_;
  Cancellation ending_;

  std::mutex mutex_;
  std::condition_variable news_;        // for who waits for an answer
  std::condition_variable lines_wait_;  // for the writer
  std::string end_;                     // why there will be no more answers; empty: it is open
  int64_t next_id_ = 1;
  std::map<int64_t, std::optional<McpMessage>> asked_;  // who waits, and the answer once it is there
  std::optional<int64_t> ping_;                         // under way
  Clock::time_point heard_ = Clock::now();              // when it last said something, or was pinged
  std::deque<std::string> to_write_;
  size_t unread_bytes_ = 0;

  ChildProcess process_;
  std::thread reader_, writer_;  // the last: they use all of this
};

}  // namespace

McpConnector make_mcp_stdio(std::string command, Clock::duration longest_silence) {
  return [command = std::move(command), longest_silence]() -> Result<std::shared_ptr<McpConnection>> {
    ChildOptions options;
    options.command = words_of(command);
    if (options.command.empty()) return make_error(ErrorCode::kInvalidInput, "the command of the server is empty");
    options.environment = plain_environment();
    GOS_TRY(ChildProcess process, ChildProcess::start(options));
    return std::shared_ptr<McpConnection>(std::make_shared<McpStdio>(std::move(process), longest_silence));
  };
}

}  // namespace gossamer::tools
