#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "cli/command.h"

namespace gossamer::cli {

bool Output::is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

void Output::write(std::string_view text) {
  while (ok() && !text.empty()) {
    ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written > 0)
      text.remove_prefix(static_cast<size_t>(written));
    else if (written < 0 && errno != EINTR)
      failure_ = errno;
  }
}

void Output::line(std::string_view text) {
  write(std::string(text) + '\n');
}

int Output::close() {
  if (ok()) return kSuccess;
  if (failure_ != EPIPE) fmt::print(stderr, "gossamer: cannot write to standard output: {}\n", std::strerror(failure_));
  return kFailure;
}

}  // namespace gossamer::cli
