#include "tools/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace gossamer::tools {
namespace {

constexpr int kFirstFreeFd = 10;  // ours stay clear of those that the child's descriptors are put to
constexpr int kReportFd = 3;

Error refused(std::string_view what, int error) {
  return make_error(ErrorCode::kIo, "{}: {}", what, std::strerror(error));
}

/// The same file at a high number, closed by exec.
http::UniqueFd moved_up(int fd) {
  http::UniqueFd high(fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeFd));
  close(fd);
  return high;
}

struct Pipe {
  http::UniqueFd ours, theirs;  // ours does not block
};

Result<Pipe> make_pipe(bool we_write) {
  int ends[2];
  // Sockets: writing to one that nobody reads is an error and no signal.
  const int failed = we_write ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC);
  if (failed) return refused("cannot make a pipe", errno);
  Pipe pipe{moved_up(ends[0]), moved_up(ends[1])};
  if (!pipe.ours.ok() || !pipe.theirs.ok()) return refused("cannot make a pipe", errno);
  fcntl(pipe.ours.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

/// What posix_spawn() is told, released with its owner.
struct SpawnPlan {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnPlan() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    // Signals as a new program expects them, whatever this thread blocks and ignores.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

int milliseconds_until(Clock::time_point deadline) {
  if (deadline == Clock::time_point::max()) return -1;
  constexpr int64_t kLongest = 1 << 30;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, kLongest));
}

enum class Waited : unsigned char { kReady, kDeadline, kCancelled };

Waited wait_for(int fd, short events, Clock::time_point deadline, const Cancellation& cancelled) {
  for (;;) {
    pollfd both[2] = {{fd, events, 0}, {cancelled.fd(), POLLIN, 0}};
    const int ready = poll(both, 2, milliseconds_until(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (both[1].revents) return Waited::kCancelled;
    return ready > 0 ? Waited::kReady : Waited::kDeadline;
  }
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  GOS_TRY(Pipe input, make_pipe(true));
  GOS_TRY(Pipe output, make_pipe(false));
  GOS_TRY(Pipe report, make_pipe(false));
  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.files, input.theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&plan.files, output.theirs.get(), STDOUT_FILENO);
  if (options.merges_errors)
    posix_spawn_file_actions_adddup2(&plan.files, output.theirs.get(), STDERR_FILENO);
  else
    posix_spawn_file_actions_addopen(&plan.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (options.reports) posix_spawn_file_actions_adddup2(&plan.files, report.theirs.get(), kReportFd);
  const std::vector<char*> arguments = pointers(options.command), environment = pointers(options.environment);
  pid_t process = -1;
  const int failed =
      posix_spawnp(&process, arguments[0], &plan.files, &plan.attributes, arguments.data(), environment.data());
  if (failed) return refused(fmt::format("cannot run {}", options.command[0]), failed);
  ChildProcess child;
  child.process_ = process;
  child.input_ = std::move(input.ours);
  child.output_ = std::move(output.ours);
  if (options.reports) child.report_ = std::move(report.ours);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      report_(std::move(other.report_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(input_, other.input_);
  std::swap(output_, other.output_);
  std::swap(report_, other.report_);
  return *this;
}

ChildProcess::~ChildProcess() {
  end();
}

bool ChildProcess::write(std::string_view bytes, Clock::time_point deadline, const Cancellation& cancelled) {
  while (!bytes.empty()) {
    const ssize_t sent = send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || wait_for(input_.get(), POLLOUT, deadline, cancelled) != Waited::kReady) return false;
  }
  return true;
}

ChildProcess::ReadEnd ChildProcess::read(std::string& into, Clock::time_point deadline, const Cancellation& cancelled) {
  for (;;) {
    const Waited waited = wait_for(output_.get(), POLLIN, deadline, cancelled);
    if (waited != Waited::kReady) return waited == Waited::kCancelled ? ReadEnd::kCancelled : ReadEnd::kDeadline;
    char buffer[16384];
    const ssize_t count = ::read(output_.get(), buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return ReadEnd::kEnd;
    into.append(buffer, static_cast<size_t>(count));
    return ReadEnd::kBytes;
  }
}

std::string ChildProcess::report(Clock::time_point deadline, const Cancellation& cancelled) {
  constexpr size_t kMostBytes = 4096;
  std::string text;
  while (text.size() < kMostBytes && wait_for(report_.get(), POLLIN, deadline, cancelled) == Waited::kReady) {
    char buffer[512];
    const ssize_t count = ::read(report_.get(), buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

ChildProcess::Ending ChildProcess::end_asked(double most_seconds) {
  if (process_ < 0) return {};
  const http::UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, process_, 0)));
  const auto patience = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(most_seconds));
  if (process.ok() && ::kill(process_, SIGTERM) == 0)
    (void)wait_for(process.get(), POLLIN, Clock::now() + patience, Cancellation());
  return end();
}

ChildProcess::Ending ChildProcess::end() {
  if (process_ < 0) return {};
  const pid_t process = std::exchange(process_, -1);
  // It leads a session: what it has started goes with it. Not a process of our own meanwhile: it is not waited
  // for yet, so nobody else can have its number.
  ::kill(-process, SIGKILL);
  ::kill(process, SIGKILL);
  int status = 0;
  rusage used{};
  while (wait4(process, &status, 0, &used) < 0 && errno == EINTR) continue;
  constexpr double kMicro = 1e-6;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
              kMicro * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec)};
}

}  // namespace gossamer::tools
