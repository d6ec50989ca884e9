#pragma once

#include <string>
#include <string_view>

namespace gossamer::load {

/// `text` as HTML and XML take it between tags and in quotes of either kind. Control characters, which XML does not
/// have, become blanks.
inline std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  return out;
}

}  // namespace gossamer::load
