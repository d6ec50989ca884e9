#include "base/json.h"

#include <boost/json/src.hpp>
#include <charconv>
#include <cmath>

#include "base/json_builder.h"

namespace gossamer {
namespace {

/// The nearest double; what is nearer to 0 than to any other is 0.
struct NearestDoubles {
  static constexpr bool kMinusZeroIsDouble = false;

  static std::optional<double> read_double(std::string_view text, double about) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc()) return value;
    // Out of range, at one end or the other: from_chars does not say which, but these are 600 powers of ten apart.
    if (std::fabs(about) < 1) return text.starts_with('-') ? -0.0 : 0.0;
    return std::nullopt;
  }
};

}  // namespace

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  return parse_json_with<NearestDoubles>(text, what);
}

}  // namespace gossamer
