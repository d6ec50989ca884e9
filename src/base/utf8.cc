#include "base/utf8.h"

namespace gossamer {
namespace {

enum class Piece { kCharacter, kBad, kIncomplete };

/// Looks at the piece that begins at `text[0]`; `length` is its size in bytes. kIncomplete: all bytes that are there
/// fit the beginning of a character, but the text ends before its last one. Table 3-7 of the Unicode standard.
Piece next_piece(std::string_view text, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  length = 1;
  if (lead < 0x80) return Piece::kCharacter;
  size_t wanted;
  unsigned char low = 0x80, high = 0xBF;  // what the second byte may be
  if (lead >= 0xC2 && lead <= 0xDF) {
    wanted = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    wanted = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    wanted = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return Piece::kBad;
  }
  for (; length < wanted; ++length) {
    if (length == text.size()) return Piece::kIncomplete;
    if (byte(length) < low || byte(length) > high) return Piece::kBad;
    low = 0x80, high = 0xBF;
  }
  return Piece::kCharacter;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

void Utf8Stream::feed(std::string_view bytes, std::string& out) {
  std::string joined;
  if (!pending_.empty()) {
    joined = std::move(pending_);
    pending_.clear();
    joined.append(bytes);
    bytes = joined;
  }
  while (!bytes.empty()) {
    size_t length;
    switch (next_piece(bytes, length)) {
      case Piece::kCharacter:
        out.append(bytes.substr(0, length));
        break;
      case Piece::kBad:
        out.append(kReplacement);
        break;
      case Piece::kIncomplete:
        pending_.assign(bytes);
        return;
    }
    bytes.remove_prefix(length);
  }
}

void Utf8Stream::flush(std::string& out) {
  if (!pending_.empty()) out.append(kReplacement);
  pending_.clear();
}

std::string utf8_lossy(std::string_view bytes) {
  std::string out;
  Utf8Stream stream;
  stream.feed(bytes, out);
  stream.flush(out);
  return out;
}

bool utf8_valid(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t length;
    if (next_piece(bytes, length) != Piece::kCharacter) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace gossamer
