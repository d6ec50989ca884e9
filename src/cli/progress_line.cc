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

bool ProgressLine::is_time() const {
  const auto now = std::chrono::steady_clock::now();
  return enabled_ && now - started_ >= kPatience && now - drawn_ >= kRedraw;
}

void ProgressLine::update(std::string_view stage, uint64_t done, uint64_t total) {
  if (!is_time()) return;
  draw(total > 0 ? fmt::format("{} {} %", stage, done * 100 / total) : fmt::format("{} {}", stage, done));
}

void ProgressLine::draw(std::string_view text) {
  if (!is_time()) return;
  drawn_ = std::chrono::steady_clock::now();
  visible_ = true;
  fmt::print(stderr, "\r\033[K{}", text);
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
