#pragma once
/// UTF-8 that may be broken: text of a model arrives in pieces of characters.

#include <string>
#include <string_view>

namespace gossamer {

/// Turns a stream of bytes into valid UTF-8: each maximal ill-formed piece becomes one U+FFFD (Unicode chapter 3,
/// "substitution of maximal subparts", what Python's and Rust's lossy decoders do). An incomplete character at the end
/// is held back until its bytes arrive or flush() gives it up.
class Utf8Stream {
 public:
  /// Feeds bytes; appends to `out` the text that is certain by now.
  void feed(std::string_view bytes, std::string& out);
  /// The end of the stream: an outstanding incomplete character becomes one U+FFFD.
  void flush(std::string& out);
  bool has_pending() const { return !pending_.empty(); }

 private:
  std::string pending_;  // at most 3 bytes: a well-formed beginning of a character
};

/// All of `bytes` as valid UTF-8, with U+FFFD for each maximal ill-formed piece.
std::string utf8_lossy(std::string_view bytes);

/// True where `bytes` is well-formed UTF-8 throughout.
bool utf8_valid(std::string_view bytes);

}  // namespace gossamer
