#include "cli/interrupt.h"

#include <poll.h>

#include <cerrno>
#include <csignal>

namespace gossamer::cli {
namespace {

volatile std::sig_atomic_t interrupt_requested = 0;

void set_handler(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(SIGINT, &action, nullptr);  // without SA_RESTART: a waiting read() must return
}

void on_interrupt(int signal) {
  if (interrupt_requested) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  interrupt_requested = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  clear();
  set_handler(on_interrupt);
}

InterruptGuard::~InterruptGuard() {
  set_handler(SIG_DFL);
}

bool InterruptGuard::wait_readable(int file) {
  // The signal is let in by ppoll() alone: between a look at the flag and a read() it could come unseen.
  sigset_t interrupt, before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before);
  pollfd waiting = {file, POLLIN, 0};
  while (!requested() && ppoll(&waiting, 1, nullptr, &before) < 0 && errno == EINTR) continue;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return !requested();
}

bool InterruptGuard::requested() {
  return interrupt_requested != 0;
}
void InterruptGuard::clear() {
  interrupt_requested = 0;
}

}  // namespace gossamer::cli
