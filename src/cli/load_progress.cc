#include "cli/load_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace gossamer::cli {
namespace {

constexpr size_t kBarWidth = 24, kUsualWidth = 80;
constexpr auto kTellEvery = std::chrono::seconds(10);

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : kUsualWidth - 1;
}

/// The share of the run that is over: of its requests, or of its time, whichever ends first.
double share_of(const load::LoadProgress& p) {
  double share = 0;
  if (p.requests > 0) share = static_cast<double>(p.ended) / static_cast<double>(p.requests);
  if (p.duration_seconds > 0) share = std::max(share, p.seconds / p.duration_seconds);
  return std::clamp(share, 0.0, 1.0);
}

std::string figures(const load::LoadProgress& p) {
  const double seconds = std::max(p.seconds, 1e-3);
  const std::string total = p.requests > 0 ? fmt::format("/{}", p.requests) : "";
  std::string text =
      fmt::format("{}{}  {:.1f} req/s  {:.0f} tok/s  {} running", p.ended, total,
                  static_cast<double>(p.ended) / seconds, static_cast<double>(p.events) / seconds, p.begun - p.ended);
  if (p.failed > 0) text += fmt::format("  {} failed", p.failed);
  if (const double share = share_of(p); share > 0.02 && share < 1)
    text += fmt::format("  {:.0f} s left", p.seconds / share - p.seconds);
  return text;
}

}  // namespace

std::string load_progress_text(const std::string& title, const load::LoadProgress& progress, size_t width) {
  const auto filled = static_cast<size_t>(share_of(progress) * kBarWidth);
  std::string text = title.empty() ? "" : title + " ";
  text += "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] " + figures(progress);
  return text.substr(0, width);
}

void LoadProgressLine::update(const std::string& title, const load::LoadProgress& progress) {
  if (line_.is_drawn()) return line_.draw(load_progress_text(title, progress, terminal_width()));
  const auto now = std::chrono::steady_clock::now();
  if (now - told_ < kTellEvery) return;
  told_ = now;
  fmt::print(stderr, "{}{}{}\n", title, title.empty() ? "" : " ", figures(progress));
}

}  // namespace gossamer::cli
