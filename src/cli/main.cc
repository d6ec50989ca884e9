#include <csignal>

#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace gossamer::cli;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is a failed write (output.h), not a death
  const Command commands[] = {run_command(),        chat_command(),   show_command(),  tokenize_command(), detokenize_command(),
                              render_command(),     parse_command(),  logits_command(), generate_command(), version_command()};
  return run_program(commands, argc, argv);
}
