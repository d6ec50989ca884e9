#include "cli/stop_signals.h"

#include <unistd.h>

#include <cmath>
#include <csignal>
#include <ctime>

namespace gossamer::cli {
namespace {

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::optional<StopSignals::Signal> StopSignals::wait(double seconds) const {
  const sigset_t set = watched_signals();
  const timespec limit = {static_cast<time_t>(std::floor(seconds)),
                          static_cast<long>(std::fmod(std::fabs(seconds), 1.0) * 1e9)};
  const int signal = seconds < 0 ? sigwaitinfo(&set, nullptr) : sigtimedwait(&set, nullptr, &limit);
  if (signal == SIGTERM || signal == SIGINT) return Signal::kStop;
  if (signal == SIGHUP) return Signal::kReload;
  if (signal == SIGUSR1) return Signal::kWake;
  return std::nullopt;
}

void StopSignals::wake() {
  kill(getpid(), SIGUSR1);
}

}  // namespace gossamer::cli
