#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace gossamer::cli {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);  // what is over sooner needs no line
constexpr auto kRedraw = std::chrono::milliseconds(100);

bool stderr_is_drawable() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term && std::string_view(term) != "dumb";
}

}  // namespace

ProgressLine::ProgressLine()
    : started_(std::chrono::steady_clock::now()), drawn_(started_), enabled_(stderr_is_drawable()) {}

void ProgressLine::update(std::string_view stage, uint64_t done, uint64_t total) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - started_ < kPatience || now - drawn_ < kRedraw) return;
  drawn_ = now;
  visible_ = true;
  if (total > 0)
    fmt::print(stderr, "\r\033[K{} {} %", stage, done * 100 / total);
  else
    fmt::print(stderr, "\r\033[K{} {}", stage, done);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (visible_) fmt::print(stderr, "\r\033[K");
  visible_ = false;
}

ProgressFn ProgressLine::callback() {
  return [this](std::string_view stage, uint64_t done, uint64_t total) { update(stage, done, total); };
}

}  // namespace gossamer::cli
