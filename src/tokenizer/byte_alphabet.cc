#include "tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace gossamer {
namespace {

constexpr unsigned kAlphabetEnd =
    256 + 68;  // the 188 printable bytes of Latin-1 stand for themselves, the others for 256 and on

struct Alphabet {
  std::array<uint16_t, 256> character_of{};     // a code point below 0x800: one or two bytes in UTF-8
  std::array<int16_t, kAlphabetEnd> byte_of{};  // -1: not in the alphabet
};

constexpr Alphabet kAlphabet = [] {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  uint16_t stand_in = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const auto character = printable ? static_cast<uint16_t>(byte) : stand_in++;
    alphabet.character_of[byte] = character;
    alphabet.byte_of[character] = static_cast<int16_t>(byte);
  }
  return alphabet;
}();

}  // namespace

bool append_bytes_of_printable(std::string_view printable, std::string& out) {
  const size_t size_before = out.size();
  for (size_t i = 0; i < printable.size(); ++i) {
    unsigned character = static_cast<unsigned char>(printable[i]);
    if (character >= 0x80) {
      const unsigned next = i + 1 < printable.size() ? static_cast<unsigned char>(printable[++i]) : 0;
      // Only two-byte characters can be in the alphabet; anything else becomes a code point that is not.
      character =
          (character & 0xE0) == 0xC0 && (next & 0xC0) == 0x80 ? (character & 0x1F) << 6 | (next & 0x3F) : kAlphabetEnd;
    }
    if (character >= kAlphabetEnd || kAlphabet.byte_of[character] < 0) {
      out.resize(size_before);
      return false;
    }
    out.push_back(static_cast<char>(kAlphabet.byte_of[character]));
  }
  return true;
}

std::optional<std::string> bytes_of_printable(std::string_view printable) {
  std::string bytes;
  if (!append_bytes_of_printable(printable, bytes)) return std::nullopt;
  return bytes;
}

void append_printable(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    const unsigned character = kAlphabet.character_of[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      out.push_back(static_cast<char>(character));
    } else {
      out.push_back(static_cast<char>(0xC0 | character >> 6));
      out.push_back(static_cast<char>(0x80 | (character & 0x3F)));
    }
  }
}

bool printable_spells(std::string_view printable, std::string_view bytes) {
  size_t i = 0;
  for (const char byte : bytes) {
    const unsigned character = kAlphabet.character_of[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      if (i >= printable.size() || static_cast<unsigned char>(printable[i]) != character) return false;
      i += 1;
    } else {
      if (i + 1 >= printable.size() || static_cast<unsigned char>(printable[i]) != (0xC0 | character >> 6) ||
          static_cast<unsigned char>(printable[i + 1]) != (0x80 | (character & 0x3F)))
        return false;
      i += 2;
    }
  }
  return i == printable.size();
}

}  // namespace gossamer
