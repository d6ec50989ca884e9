#pragma once

#include <string>
#include <vector>

namespace gossamer::cli {

/// One bar: a value within what it could be.
struct Bar {
  std::string name;  ///< beside it
  std::string text;  ///< on it
  double share = 0;  ///< of the limit, 0 .. 1; more is drawn as 1
};

/// Bars below one another, as SVG.
std::string draw_bars(const std::string& title, const std::string& footer, const std::vector<Bar>& bars);

}  // namespace gossamer::cli
