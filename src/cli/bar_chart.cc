#include "cli/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer::cli {
namespace {

constexpr double kLeft = 130, kBarWidth = 560, kWidth = 860, kBarHeight = 24, kStep = 36, kTop = 56;

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string draw_bar(const Bar& bar, double y) {
  const double middle = y + kBarHeight * 0.7;
  return fmt::format(
      "<text x='{}' y='{:.0f}' text-anchor='end'>{}</text>"
      "<rect x='{}' y='{:.0f}' width='{}' height='{}' fill='#e8e8e8'/>"
      "<rect x='{}' y='{:.0f}' width='{:.1f}' height='{}' fill='#4a90c2'/>"
      "<text x='{}' y='{:.0f}'>{}</text>\n",
      kLeft - 10, middle, escape(bar.name), kLeft, y, kBarWidth, kBarHeight, kLeft, y,
      kBarWidth * std::clamp(bar.share, 0.0, 1.0), kBarHeight, kLeft + kBarWidth + 10, middle, escape(bar.text));
}

}  // namespace

std::string draw_bars(const std::string& title, const std::string& footer, const std::vector<Bar>& bars) {
  const double height = kTop + kStep * static_cast<double>(bars.size()) + 40;
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1:.0f}' viewBox='0 0 {0} {1:.0f}' "
      "font-family='sans-serif' font-size='13'>\n<rect width='100%' height='100%' fill='white'/>\n"
      "<text x='{2}' y='28' font-size='16'>{3}</text>\n",
      kWidth, height, kLeft, escape(title));
  for (size_t i = 0; i < bars.size(); ++i) svg += draw_bar(bars[i], kTop + kStep * static_cast<double>(i));
  return svg +
         fmt::format("<text x='{}' y='{:.0f}' fill='#666'>{}</text>\n</svg>\n", kLeft, height - 16, escape(footer));
}

}  // namespace gossamer::cli
