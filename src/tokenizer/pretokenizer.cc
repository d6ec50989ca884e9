#include "tokenizer/pretokenizer.h"

#include <array>
#include <bit>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "tokenizer/unicode_table.h"

namespace gossamer {

const char kO200kPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

/// A set of classes.
constexpr uint32_t set_of(auto... classes) {
  return (0u | ... | (1u << static_cast<uint32_t>(classes)));
}

constexpr uint32_t kUpperSet = set_of(CharClass::kUpper);
constexpr uint32_t kLowerSet = set_of(CharClass::kLower);
constexpr uint32_t kBothSet = set_of(CharClass::kLetter, CharClass::kMark);  // in U and in L
constexpr uint32_t kNumberSet = set_of(CharClass::kNumber);
constexpr uint32_t kWhitespaceSet = set_of(CharClass::kSpace, CharClass::kNewline);
constexpr uint32_t kPunctuationSet = set_of(CharClass::kOther, CharClass::kMark);
constexpr uint32_t kPrefixSet = set_of(CharClass::kOther, CharClass::kMark, CharClass::kSpace);

constexpr CharClass ascii_class(unsigned char byte) {
  if (byte >= 'A' && byte <= 'Z') return CharClass::kUpper;
  if (byte >= 'a' && byte <= 'z') return CharClass::kLower;
  if (byte >= '0' && byte <= '9') return CharClass::kNumber;
  if (byte == '\n' || byte == '\r') return CharClass::kNewline;
  if (byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f') return CharClass::kSpace;
  return CharClass::kOther;
}

constexpr auto kAsciiSets = [] {
  std::array<uint8_t, 128> sets{};
  for (unsigned byte = 0; byte < 128; ++byte)
    sets[byte] = static_cast<uint8_t>(set_of(ascii_class(static_cast<unsigned char>(byte))));
  return sets;
}();

struct Char {
  uint32_t set;     // of its one class
  uint32_t length;  // bytes
  bool in(uint32_t classes) const { return (set & classes) != 0; }
};

Char non_ascii_char_at(const char* p) {
  const auto byte = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  uint32_t code_point, length;
  if (byte(0) < 0xE0) {
    code_point = (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F), length = 2;
  } else if (byte(0) < 0xF0) {
    code_point = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), length = 3;
  } else {
    code_point = (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), length = 4;
  }
  return {set_of(char_class(code_point)), length};
}

inline Char char_at(const char* p) {
  const auto byte = static_cast<unsigned char>(*p);
  if (byte < 0x80) return {kAsciiSets[byte], 1};
  return non_ascii_char_at(p);
}

inline const char* skip(const char* p, const char* end, uint32_t classes) {
  while (p != end) {
    const Char c = char_at(p);
    if (!c.in(classes)) break;
    p += c.length;
  }
  return p;
}

/// The end of (?i:'s|'t|'re|'ve|'m|'ll|'d) at p, or p where there is none.
const char* contraction_end(const char* p, const char* end) {
  if (end - p < 2 || *p != '\'') return p;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  const char first = lower(p[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return p + 2;
  if (end - p < 3) return p;
  const char second = lower(p[2]);
  if ((first == 'r' || first == 'v') && second == 'e') return p + 3;
  if (first == 'l' && second == 'l') return p + 3;
  if (p[1] == '\xC5' && p[2] == '\xBF') return p + 3;  // U+017F, the long s: its simple case folding is s
  return p;
}

/// The first two branches: words. `begin` where neither matches.
const char* word_end(const char* begin, const char* end, Char first) {
  const char* word = begin + (first.in(kPrefixSet) ? first.length : 0);
  // [U]* is greedy and gives back what [L]+ needs: from the last character that is in both sets. A mark at the very
  // beginning is such a character too: it is then no prefix but the word.
  const char* both_end = first.in(set_of(CharClass::kMark)) ? word : nullptr;
  const char* p = word;
  while (p != end) {
    const Char c = char_at(p);
    if (c.in(kLowerSet)) return contraction_end(skip(p + c.length, end, kLowerSet | kBothSet), end);
    if (!c.in(kUpperSet | kBothSet)) break;
    p += c.length;
    if (c.in(kBothSet)) both_end = p;
  }
  if (both_end != nullptr) return contraction_end(both_end, end);
  return p != word ? contraction_end(p, end) : begin;
}

/// word_end() for a word of ASCII letters that ends within 16 bytes, which most words are: its length comes from two
/// masks, where a loop over letters would mispredict the end of each word. `begin` where it is not such a word.
const char* ascii_word_end(const char* begin, const char* end, Char first) {
#ifdef __SSE2__  // every x86-64 has it
  constexpr int kWidth = 16;
  const char* word = begin + (first.in(kPrefixSet) ? 1 : 0);
  if (end - word < kWidth) return begin;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(word));
  // One bit a byte: is it within 26 below `last`? Adding moves `last` to the largest signed value.
  const auto letters_to = [&](char last) {
    const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(0x7F - last)));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpgt_epi8(moved, _mm_set1_epi8(0x7F - 26))));
  };
  const int upper = std::countr_one(letters_to('Z'));
  const int length = upper + std::countr_one(letters_to('z') >> upper);
  if (length == 0 || length == kWidth) return begin;
  const char next = word[length];
  if (static_cast<signed char>(next) < 0) return begin;  // the word may go on
  return next == '\'' ? contraction_end(word + length, end) : word + length;
#else
  return begin;
#endif
}

const char* number_end(const char* p, const char* end) {
  for (int digits = 0; digits < 3 && p != end; ++digits) {
    const Char c = char_at(p);
    if (!c.in(kNumberSet)) break;
    p += c.length;
  }
  return p;
}

const char* punctuation_end(const char* p, const char* end) {
  p = skip(p, end, kPunctuationSet);
  while (p != end && (*p == '\r' || *p == '\n' || *p == '/')) ++p;
  return p;
}

const char* whitespace_end(const char* begin, const char* end) {
  const char* newline_end = nullptr;
  const char* last = begin;  // the last character of the run
  const char* p = begin;
  while (p != end) {
    const Char c = char_at(p);
    if (!c.in(kWhitespaceSet)) break;
    last = p;
    p += c.length;
    if (c.in(set_of(CharClass::kNewline))) newline_end = p;
  }
  if (newline_end != nullptr) return newline_end;
  // \s+(?!\S): the last character of the run goes with what follows, where something does and one remains.
  return p == end || last == begin ? p : last;
}

}  // namespace

const char* o200k_piece_end(const char* begin, const char* end) {
  const Char first = char_at(begin);
  if (first.length == 1 && !first.in(kNumberSet | set_of(CharClass::kNewline))) {
    if (const char* word = ascii_word_end(begin, end, first); word != begin) return word;
  }
  if (first.in(kNumberSet)) return number_end(begin, end);
  if (!first.in(set_of(CharClass::kNewline))) {
    if (const char* word = word_end(begin, end, first); word != begin) return word;
    const bool spaced = *begin == ' ' && begin + 1 != end && char_at(begin + 1).in(kPunctuationSet);
    if (spaced || first.in(kPunctuationSet)) return punctuation_end(begin + (spaced ? 1 : 0), end);
  }
  return whitespace_end(begin, end);
}

}  // namespace gossamer
