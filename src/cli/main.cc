#include <csignal>

#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace gossamer::cli;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is a failed write (output.h), not a death
  const Command commands[] = {version_command()};
  return run_program(commands, argc, argv);
}
