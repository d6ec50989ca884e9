#include "cli/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>

namespace gossamer::cli {
namespace {

/// A pipe whose reader reads when it is told to.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Pipe() {
    close_writer();
    ::close(ends_[0]);
  }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  /// What is there, as soon as there is something.
  std::string read() {
    std::string bytes(1u << 20, '\0');
    const ssize_t count = ::read(ends_[0], bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }
  std::string read_to_end() {
    std::string all;
    for (std::string some = read(); !some.empty(); some = read()) all += some;
    return all;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(LogWriter, WritesEveryLineInOrder) {
  Pipe pipe;
  {
    LogWriter log(pipe.writer());
    for (int i = 0; i < 100; ++i) log.write("line " + std::to_string(i));
  }
  pipe.close_writer();
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(pipe.read_to_end(), expected);
}

TEST(LogWriter, DoesNotWaitForAReaderWhoStopped) {
  std::signal(SIGPIPE, SIG_IGN);  // as in the program; whoever still writes when the pipe goes must not end the test
  Pipe pipe;
  std::optional<LogWriter> log(std::in_place, pipe.writer(), 10'000);
  const std::string line(999, 'x');
  for (int i = 0; i < 1000; ++i) log->write(line);  // a pipe holds 64 KiB: whoever wrote there would stand still
  std::string text;
  while (text.find("were dropped") == std::string::npos) {
    const std::string some = pipe.read();
    ASSERT_FALSE(some.empty());
    text += some;
    log->write("after it");
  }
  EXPECT_LT(text.size(), 200'000u) << "memory without bound";
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) log->write(line);
  log.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << "the end waits for nobody either";
}

TEST(LogWriter, GoesOnWithoutAReader) {
  Pipe pipe;
  const int file = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(file, 0);
  {
    LogWriter log(file);
    log.write("no room for this");
  }
  ::close(file);
}

}  // namespace
}  // namespace gossamer::cli
