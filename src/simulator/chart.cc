#include "simulator/chart.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer::simulator {
namespace {

constexpr double kWidth = 860, kLeft = 70, kPanelHeight = 180, kGap = 60, kTop = 60;

struct Line {
  std::string name, colour;
  std::vector<double> values;  // one a second
};

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `value`.
double round_up(double value) {
  double unit = 1;
  while (unit * 10 < value) unit *= 10;
  for (const double factor : {1.0, 2.0, 5.0, 10.0})
    if (unit * factor >= value) return unit * factor;
  return unit * 10;
}

/// One panel with its axes; time runs from 0 to the last second.
std::string panel(double top, const std::string& title, const std::vector<Line>& lines) {
  double most = 1;
  size_t seconds = 1;
  for (const Line& line : lines) {
    seconds = std::max(seconds, line.values.size());
    for (const double value : line.values) most = std::max(most, value);
  }
  most = round_up(most);
  const double width = kWidth - kLeft - 20, bottom = top + kPanelHeight;
  std::string svg = fmt::format("<text x='{}' y='{}' font-weight='bold'>{}</text>\n", kLeft, top - 10, escape(title));
  for (int i = 0; i <= 4; ++i) {
    const double y = bottom - kPanelHeight * i / 4;
    svg += fmt::format("<line x1='{0}' x2='{1}' y1='{2:.1f}' y2='{2:.1f}' stroke='#ddd'/>", kLeft, kLeft + width, y);
    svg += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{:g}</text>", kLeft - 6, y + 4, most * i / 4);
    svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:.0f} s</text>\n", kLeft + width * i / 4,
                       bottom + 16, static_cast<double>(seconds) * i / 4);
  }
  double legend = kLeft + width;
  for (const Line& line : lines) {
    svg += fmt::format("<polyline fill='none' stroke='{}' stroke-width='1.5' points='", line.colour);
    // a point a pixel is enough, whatever the length of the run
    const size_t step = std::max<size_t>(1, line.values.size() / static_cast<size_t>(width));
    for (size_t i = 0; i < line.values.size(); i += step) {
      const double peak =
          *std::max_element(line.values.begin() + static_cast<std::ptrdiff_t>(i),
                            line.values.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, line.values.size())));
      svg +=
          fmt::format("{:.1f},{:.1f} ", kLeft + width * (static_cast<double>(i) + 0.5) / static_cast<double>(seconds),
                      bottom - kPanelHeight * peak / most);
    }
    svg += "'/>\n";
    svg += fmt::format("<text x='{:.0f}' y='{}' fill='{}' text-anchor='end'>{}</text>\n", legend, top - 10, line.colour,
                       line.name);
    legend -= 90;
  }
  return svg;
}

}  // namespace

std::string draw_chart(const SimulationResult& result, const std::string& title) {
  Line running{"running", "#1f77b4", {}}, waiting{"waiting", "#d62728", {}}, in{"tokens in", "#9467bd", {}},
      out{"tokens out", "#2ca02c", {}};
  for (const SecondOfTime& second : result.seconds) {
    running.values.push_back(second.running);
    waiting.values.push_back(second.waiting);
    in.values.push_back(second.input_tokens);
    out.values.push_back(second.output_tokens);
  }
  const double height = kTop + 2 * kPanelHeight + kGap + 40;
  return fmt::format(
             "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
             "font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n"
             "<text x='{2}' y='24' font-size='15'>{3}</text>\n",
             kWidth, height, kLeft, escape(title)) +
         panel(kTop, "requests", {running, waiting}) + panel(kTop + kPanelHeight + kGap, "tokens a second", {in, out}) +
         "</svg>\n";
}

}  // namespace gossamer::simulator
