/// gossamer-sandbox: runs one program where it can do no harm. The server starts it for code that a model wrote.
///
///   gossamer-sandbox MEMORY_BYTES FILE_BYTES THREADS CPU_SECONDS PROGRAM [ARGUMENT...]
///
/// Descriptors 0, 1 and 2 are the program's; 0 is a socket or a pipe, and when its other side closes the program ends.
/// What could not be isolated is written to descriptor 3, one sentence, and then nothing is run; when the program runs,
/// 3 is closed. Killing this process kills the program; SIGTERM does too, and this process then waits for its end, so
/// that whoever waits for this one learns what processor time both took. The exit code is the program's, or 128 and the
/// number of the signal that ended it.

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include "sandbox/namespaces.h"
#include "sandbox/resource_limits.h"
#include "sandbox/root_folder.h"
#include "sandbox/syscall_filter.h"

namespace gossamer::sandbox {
namespace {

constexpr int kReportFd = 3;
constexpr int kNotIsolated = 125;

int report(const Error& error) {
  (void)!write(kReportFd, error.message.data(), error.message.size());
  return kNotIsolated;
}

/// The process that becomes the program, number 1 of its own world. Gives an exit code only where that failed.
int run_inside(const ResourceLimits& limits, char** program, int parent_alive_fd, const sigset_t& signals) {
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  Status done = set_limits(limits);
  if (done.ok()) done = enter_new_root(program[0], limits.file_bytes);
  if (done.ok()) done = drop_capabilities();
  if (done.ok()) done = end_with_parent(parent_alive_fd);
  if (done.ok()) done = filter_syscalls();
  if (!done.ok()) return report(done.error());
  const char* environment[] = {"PATH=/usr/bin:/bin", "HOME=/mnt/data",     "LANG=C.UTF-8",
                               "TMPDIR=/mnt/data",   "MALLOC_ARENA_MAX=2", nullptr};
  execve(program[0], program, const_cast<char**>(environment));
  return report(make_error(ErrorCode::kNotFound, "cannot run {}: {}", program[0], std::strerror(errno)));
}

Status close_all_but_first() {
  if (close_range(kReportFd + 1, ~0u, 0) != 0)
    return make_error(ErrorCode::kUnsupported, "cannot close descriptors (close_range, Linux 5.9): {}",
                      std::strerror(errno));
  if (fcntl(kReportFd, F_SETFD, FD_CLOEXEC) != 0)
    return make_error(ErrorCode::kInvalidInput, "descriptor {} must be open for a report", kReportFd);
  return {};
}

Status isolate() {
  GOS_TRY_STATUS(close_all_but_first());
  GOS_TRY_STATUS(become_nobody());
  return enter_namespaces();
}

/// Blocks what the launcher waits for: the program's end, and the order to end it. Gives a descriptor for these.
int block_signals(sigset_t& before) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &awaited, &before);
  return signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// True after SIGTERM, and where the other side of descriptor 0 has closed, as it does when the server ends. (The
/// system's own signal at a parent's death comes with the end of the thread that started this process.)
bool shall_end(int signals) {
  pollfd news[2] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLRDHUP, 0}};
  if (poll(news, 2, -1) < 0) return errno != EINTR;
  signalfd_siginfo signal{};
  const bool has_signal = read(signals, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal);
  return news[1].revents != 0 || (has_signal && signal.ssi_signo == SIGTERM);
}

/// Waits for the program, or ends it. Gives its status.
int wait_for(pid_t program, int signals) {
  int status = 0;
  while (waitpid(program, &status, WNOHANG) == 0) {
    if (!shall_end(signals)) continue;
    kill(program, SIGKILL);
    while (waitpid(program, &status, 0) < 0 && errno == EINTR) continue;
    break;
  }
  return status;
}

int run(const ResourceLimits& limits, char** program) {
  if (const Status isolated = isolate(); !isolated.ok()) return report(isolated.error());
  int alive[2];
  if (pipe2(alive, O_CLOEXEC) != 0)
    return report(make_error(ErrorCode::kIo, "cannot make a pipe: {}", std::strerror(errno)));
  sigset_t before;
  const int signals = block_signals(before);
  if (signals < 0) return report(make_error(ErrorCode::kIo, "cannot wait for signals: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) return report(make_error(ErrorCode::kUnsupported, "cannot make a process: {}", std::strerror(errno)));
  if (child == 0) {
    close(alive[1]);
    _exit(run_inside(limits, program, alive[0], before));
  }
  for (int fd = STDOUT_FILENO; fd <= kReportFd; ++fd) close(fd);  // the program's alone: whoever reads sees its end
  const int status = wait_for(child, signals);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool parse(const char* text, uint64_t& value) {
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace
}  // namespace gossamer::sandbox

int main(int argc, char** argv) {
  using namespace gossamer::sandbox;
  constexpr int kProgramAt = 5;
  ResourceLimits limits;
  uint64_t* const values[] = {&limits.memory_bytes, &limits.file_bytes, &limits.threads, &limits.cpu_seconds};
  bool understood = argc > kProgramAt;
  for (int i = 0; understood && i < kProgramAt - 1; ++i) understood = parse(argv[i + 1], *values[i]);
  if (!understood) {
    constexpr std::string_view kUsage =
        "gossamer-sandbox MEMORY_BYTES FILE_BYTES THREADS CPU_SECONDS PROGRAM [ARGUMENT...]\n"
        "is what gossamer runs code of a model with; it is of no use by hand\n";
    (void)!write(STDERR_FILENO, kUsage.data(), kUsage.size());
    return kNotIsolated;
  }
  return run(limits, argv + kProgramAt);
}
