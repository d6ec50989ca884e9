#pragma once

#include <cstdint>

namespace gossamer {

/// What the o200k split pattern wants to know of a code point (Unicode 16.0).
enum class CharClass : uint8_t {
  kOther,    ///< punctuation, symbols, controls, unassigned
  kUpper,    ///< Lu, Lt
  kLower,    ///< Ll
  kLetter,   ///< Lm, Lo: counts as upper and as lower
  kMark,     ///< Mn, Mc, Me: as kLetter inside a word, but may also stand before one
  kNumber,   ///< Nd, Nl, No
  kSpace,    ///< White_Space without the two below
  kNewline,  ///< CR, LF
};

namespace unicode_table {

// Two levels: blocks that are equal are stored once. A class is stored as its digit, so that a block is a string
// literal.
inline constexpr uint32_t kBlockSize = 128;
extern const uint8_t kBlockOf[0x110000 / kBlockSize];
extern const char kBlocks[][kBlockSize + 1];

}  // namespace unicode_table

/// The class of a code point below 0x110000.
inline CharClass char_class(uint32_t code_point) {
  using namespace unicode_table;
  const char digit = kBlocks[kBlockOf[code_point / kBlockSize]][code_point % kBlockSize];
  return static_cast<CharClass>(digit - '0');
}

}  // namespace gossamer
