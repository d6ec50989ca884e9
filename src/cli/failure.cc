#include "cli/failure.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/terminal_text.h"

namespace gossamer::cli {

int fail(const Error& error) {
  fmt::print(stderr, "gossamer: {}\n", printable(error.message));
  return error.code == ErrorCode::kCancelled ? kInterrupted : kFailure;
}

int fail_usage(const std::string& command, const std::string& sentence, const std::string& meant) {
  fmt::print(stderr, "gossamer: {}\n", printable(sentence));
  if (!meant.empty()) fmt::print(stderr, "Did you mean {}?\n", meant);
  fmt::print(stderr, "Help: gossamer {}{}--help\n", command, command.empty() ? "" : " ");
  return kWrongUsage;
}

}  // namespace gossamer::cli
