#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gossamer::load {

/// A line of a chart; at most eight have a colour of their own.
struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x, y; x rises
};

struct LineChart {
  std::string title, x_label, y_label;
  bool log_x = false;  ///< powers of ten at equal distances; what is 0 or less is drawn at the left end
  std::vector<ChartLine> lines = {};
};

/// Lines over two axes from 0, or from the least x where they are powers of ten, as SVG. Lines without points are in
/// the legend only.
std::string draw_lines(const LineChart& chart);

}  // namespace gossamer::load
