#include "grammar/schema_pattern.h"

namespace gossamer::grammar {
namespace {

/// The characters of a class escape; empty: it is another one.
std::string_view members(char escape) {
  switch (escape) {
    case 'd':
      return "0-9";
    case 'w':
      return "A-Za-z0-9_";
    case 's':
      return R"(\t\n\x0B\x0C\r )";
    default:
      return {};
  }
}

}  // namespace

std::string rust_pattern(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escape = pattern[++i];
      if (const std::string_view set = members(escape); set.empty())
        out.append({c, escape});
      else
        out.append(in_class ? "" : "[").append(set).append(in_class ? "" : "]");
    } else if (in_class) {
      if (c == '[' || c == '&' || c == '~') out += '\\';
      out += c;
      in_class = c != ']';
    } else if (c == '.') {
      out += R"([^\n\r\x{2028}\x{2029}])";
    } else {
      out += c;
      in_class = c == '[';
    }
  }
  return out;
}

}  // namespace gossamer::grammar
