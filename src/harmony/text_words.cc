#include "harmony/text_words.h"

#include <algorithm>

namespace gossamer::harmony {

size_t leading_space_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead == ' ' || (lead >= '\t' && lead <= '\r')) return 1;
  if (lead == 0xC2) return text.starts_with("\xC2\x85") || text.starts_with("\xC2\xA0") ? 2 : 0;  // U+0085, U+00A0
  if (text.size() < 3 || lead < 0xE1 || lead > 0xE3) return 0;
  if (text.starts_with("\xE1\x9A\x80") || text.starts_with("\xE2\x81\x9F") || text.starts_with("\xE3\x80\x80"))
    return 3;
  if (!text.starts_with("\xE2\x80")) return 0;
  const auto last = static_cast<unsigned char>(text[2]);  // U+2000 .. U+200A, U+2028, U+2029, U+202F
  return (last >= 0x80 && last <= 0x8A) || last == 0xA8 || last == 0xA9 || last == 0xAF ? 3 : 0;
}

std::string_view trim_left(std::string_view text) {
  while (const size_t bytes = leading_space_bytes(text)) text.remove_prefix(bytes);
  return text;
}

std::string_view trim(std::string_view text) {
  text = trim_left(text);
  const auto trailing_space_bytes = [&]() -> size_t {
    for (size_t bytes = 1; bytes <= std::min<size_t>(3, text.size()); ++bytes) {
      if (leading_space_bytes(text.substr(text.size() - bytes)) == bytes) return bytes;
    }
    return 0;
  };
  while (const size_t bytes = trailing_space_bytes()) text.remove_suffix(bytes);
  return text;
}

std::string_view first_word(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && leading_space_bytes(text.substr(end)) == 0) ++end;
  return text.substr(0, end);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = trim_left(text); !text.empty(); text = trim_left(text)) {
    words.push_back(first_word(text));
    text.remove_prefix(words.back().size());
  }
  return words;
}

}  // namespace gossamer::harmony
