#include "cli/log_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace gossamer::cli {
namespace {

constexpr std::chrono::seconds kLastLines{1};

/// As far as it goes: a log that cannot be written (a full disk, a closed pipe) ends nothing.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

struct LogWriter::State {
  int fd = -1;
  uint64_t most_waiting_bytes = 0;
  std::mutex mutex;
  std::condition_variable news, ended;
  std::string waiting;
  uint64_t num_dropped = 0;
  bool stopping = false, has_ended = false;
};

LogWriter::LogWriter(int fd, uint64_t most_waiting_bytes) : state_(std::make_shared<State>()) {
  state_->fd = fd;
  state_->most_waiting_bytes = most_waiting_bytes;
  std::thread([state = state_] { run(*state); }).detach();
}

LogWriter::~LogWriter() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->news.notify_all();
  state_->ended.wait_for(lock, kLastLines, [this] { return state_->has_ended; });
}

void LogWriter::write(std::string line) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->waiting.empty() && state_->waiting.size() + line.size() >= state_->most_waiting_bytes) {
      ++state_->num_dropped;
      return;
    }
    state_->waiting.append(line).push_back('\n');
  }
  state_->news.notify_one();
}

void LogWriter::run(State& state) {
  std::unique_lock lock(state.mutex);
  for (;;) {
    state.news.wait(lock, [&] { return state.stopping || !state.waiting.empty(); });
    if (state.waiting.empty()) break;
    std::string text = std::exchange(state.waiting, {});
    if (const uint64_t dropped = std::exchange(state.num_dropped, 0); dropped > 0)
      text += fmt::format("{} lines of the log were dropped: whoever reads it is too slow\n", dropped);
    lock.unlock();
    write_all(state.fd, text);
    lock.lock();
  }
  state.has_ended = true;
  state.ended.notify_all();
}

}  // namespace gossamer::cli
