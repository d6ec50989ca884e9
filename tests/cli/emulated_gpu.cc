/// `gossamer gpu` on the emulated device: the command as it is built for GPUs, driven by gpu_test.py.

#include "cli/command.h"

int main(int argc, char** argv) {
  const gossamer::cli::Command commands[] = {gossamer::cli::gpu_command()};
  return gossamer::cli::run_program(commands, argc, argv);
}
