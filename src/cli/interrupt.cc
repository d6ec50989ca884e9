#include "cli/interrupt.h"

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

bool InterruptGuard::requested() {
  return interrupt_requested != 0;
}
void InterruptGuard::clear() {
  interrupt_requested = 0;
}

}  // namespace gossamer::cli
