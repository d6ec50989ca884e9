#include <csignal>
#include <exception>

#include "cli/command.h"
#include "cli/failure.h"

int main(int argc, char** argv) {
  using namespace gossamer;
  using namespace gossamer::cli;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is a failed write (output.h), not a death
  const Command commands[] = {run_command(),        chat_command(),   show_command(),        tokenize_command(),
                              detokenize_command(), render_command(), parse_command(),       logits_command(),
                              generate_command(),   bench_command(),  bench_serve_command(), gpu_command(),
                              simulate_command(),   synth_command(),  serve_command(),       version_command()};
  try {
    return run_program(commands, argc, argv);
  } catch (const std::exception& failure) {  // memory ran out; anything else is a mistake of ours
    return fail(make_error(ErrorCode::kIo, "{}", failure.what()));
  }
}
