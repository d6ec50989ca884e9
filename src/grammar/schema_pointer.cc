#include "grammar/schema_pointer.h"

namespace gossamer::grammar {

std::string pointer_piece(std::string_view key) {
  std::string piece = "/";
  for (const char character : key) {
    if (character == '~')
      piece += "~0";
    else if (character == '/')
      piece += "~1";
    else
      piece += character;
  }
  return piece;
}

std::string without_percents(std::string_view text) {
  const auto hex = [](char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = high >= 0 ? hex(text[i + 2]) : -1;
    plain += low >= 0 ? static_cast<char>(high * 16 + low) : text[i];
    if (low >= 0) i += 2;
  }
  return plain;
}

}  // namespace gossamer::grammar
