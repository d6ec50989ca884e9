#include "tools/page_lines.h"

#include <algorithm>

namespace gossamer::tools {
namespace {

constexpr size_t kWidthCharacters = 80;

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

/// Bytes of the longest beginning of `line` within the width, which ends behind a blank where it can.
size_t first_piece(std::string_view line) {
  size_t characters = 0, blank = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (begins_character(line[i]) && ++characters > kWidthCharacters) return blank > 0 ? blank : i;
    if (line[i] == ' ') blank = i + 1;
  }
  return line.size();
}

}  // namespace

std::vector<std::string> wrapped_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (;;) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    do {
      const size_t piece = first_piece(line);
      lines.emplace_back(line.substr(0, piece));
      line.remove_prefix(piece);
    } while (!line.empty());
    if (end == text.size()) return lines;
    text.remove_prefix(end + 1);
  }
}

std::string numbered_lines(const std::vector<std::string>& lines, size_t first, size_t count, size_t most_bytes,
                           size_t& shown) {
  std::string text;
  shown = 0;
  for (size_t i = first; i < lines.size() && shown < count; ++i, ++shown) {
    const std::string line = "L" + std::to_string(i) + ": " + lines[i];
    if (shown > 0 && text.size() + line.size() + 1 > most_bytes) break;
    if (shown > 0) text += '\n';
    text += line;
  }
  return text;
}

std::string without_link_marks(std::string_view text) {
  constexpr std::string_view kOpen = "【", kClose = "】", kDagger = "†";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with(kOpen)) {
      size_t digits = kOpen.size();
      while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') ++digits;
      if (rest.substr(digits).starts_with(kDagger)) {
        at += digits + kDagger.size();
        continue;
      }
    }
    if (rest.starts_with(kClose)) {
      at += kClose.size();
      continue;
    }
    out += text[at++];
  }
  return out;
}

}  // namespace gossamer::tools
