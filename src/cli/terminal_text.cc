#include "cli/terminal_text.h"

namespace gossamer::cli {

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;  // U+0080..U+009F
    if (c1) {
      out += "\uFFFD";
      ++i;
    } else if (byte == 0x7F) {
      out += "\u2421";
    } else if (byte < 0x20 && byte != '\n' && byte != '\t') {
      out += {'\xE2', '\x90', static_cast<char>(0x80 + byte)};  // U+2400 + byte: the picture of that control character
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace gossamer::cli
