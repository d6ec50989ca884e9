#include "load/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "load/html_text.h"

namespace gossamer::load {
namespace {

constexpr double kWidth = 760, kHeight = 300, kLeft = 70, kRight = 20, kTop = 56, kBottom = 46;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr std::array kColours = {"#2f6fb0", "#c0572a", "#3a8f4f", "#8a4fa8",
                                 "#b08a1e", "#4a9aa8", "#a83a5a", "#666666"};
constexpr double kWantedTicks = 5;

/// One direction of the plot: values from `least` to `most`, as shares of its length.
struct Axis {
  double least = 0, most = 1;
  bool is_log = false;

  double share(double value) const {
    if (!is_log) return (value - least) / (most - least);
    return std::log(std::max(value, least) / least) / std::log(most / least);
  }

  /// 1, 2 or 5 times a power of ten apart; at powers of ten, with 2 and 5 between where they are few.
  std::vector<double> ticks() const {
    std::vector<double> ticks;
    if (is_log) {
      const bool few = std::log10(most / least) < kWantedTicks;
      for (double power = std::pow(10, std::floor(std::log10(least))); power <= most; power *= 10)
        for (const double factor : {1., 2., 5.})
          if ((factor == 1 || few) && power * factor >= least && power * factor <= most)
            ticks.push_back(power * factor);
      return ticks;
    }
    const double rough = (most - least) / kWantedTicks, power = std::pow(10, std::floor(std::log10(rough)));
    const double factor = rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10;
    const double step = factor * power;
    for (int i = 0; least + i * step <= most * (1 + 1e-9); ++i) ticks.push_back(least + i * step);
    return ticks;
  }
};

Axis x_axis(const LineChart& chart) {
  Axis axis;
  double most = 0, least = INFINITY;
  for (const ChartLine& line : chart.lines)
    for (const auto& [x, y] : line.points) {
      most = std::max(most, x);
      if (x > 0) least = std::min(least, x);
    }
  axis.is_log = chart.log_x && std::isfinite(least);
  axis.least = axis.is_log ? least : 0;
  axis.most = most > axis.least ? most : axis.is_log ? 2 * axis.least : 1;
  return axis;
}

Axis y_axis(const LineChart& chart) {
  double most = 0;
  for (const ChartLine& line : chart.lines)
    for (const auto& [x, y] : line.points) most = std::max(most, y);
  return {.least = 0, .most = most > 0 ? most : 1};
}

std::string draw_axes(const Axis& x, const Axis& y) {
  std::string svg;
  for (const double tick : x.ticks()) {
    const double at = kLeft + kPlotWidth * x.share(tick);
    svg += fmt::format(
        "<line x1='{0:.1f}' y1='{1}' x2='{0:.1f}' y2='{2}' stroke='#eee'/>"
        "<text x='{0:.1f}' y='{3}' text-anchor='middle'>{4:g}</text>\n",
        at, kTop, kTop + kPlotHeight, kTop + kPlotHeight + 16, tick);
  }
  for (const double tick : y.ticks()) {
    const double at = kTop + kPlotHeight * (1 - y.share(tick));
    svg += fmt::format(
        "<line x1='{0}' y1='{1:.1f}' x2='{2}' y2='{1:.1f}' stroke='#eee'/>"
        "<text x='{3}' y='{4:.1f}' text-anchor='end'>{5:g}</text>\n",
        kLeft, at, kLeft + kPlotWidth, kLeft - 6, at + 4, tick);
  }
  return svg + fmt::format("<rect x='{}' y='{}' width='{}' height='{}' fill='none' stroke='#999'/>\n", kLeft, kTop,
                           kPlotWidth, kPlotHeight);
}

std::string draw_line(const ChartLine& line, const Axis& x, const Axis& y, const char* colour) {
  std::string points;
  for (const auto& [at_x, at_y] : line.points)
    points +=
        fmt::format("{:.1f},{:.1f} ", kLeft + kPlotWidth * x.share(at_x), kTop + kPlotHeight * (1 - y.share(at_y)));
  return fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/>\n", points, colour);
}

}  // namespace

std::string draw_lines(const LineChart& chart) {
  const Axis x = x_axis(chart), y = y_axis(chart);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' font-family='sans-serif' "
      "font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n"
      "<text x='{2}' y='20' font-size='15'>{3}</text>\n"
      "<text x='{4}' y='{5}' text-anchor='end' fill='#555'>{6}</text>\n"
      "<text x='{2}' y='{7}' fill='#555'>{8}</text>\n",
      kWidth, kHeight, kLeft, html_text(chart.title), kLeft + kPlotWidth, kHeight - 10, html_text(chart.x_label),
      kTop - 8, html_text(chart.y_label));
  svg += draw_axes(x, y);
  double legend_y = 14;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const char* const colour = kColours[i % kColours.size()];
    svg += draw_line(chart.lines[i], x, y, colour);
    svg += fmt::format("<text x='{}' y='{}' text-anchor='end' fill='{}'>{}</text>\n", kLeft + kPlotWidth, legend_y,
                       colour, html_text(chart.lines[i].name));
    legend_y += 13;
  }
  return svg + "</svg>\n";
}

}  // namespace gossamer::load
