#pragma once
/// Words of header text, by Unicode's White_Space. The text may be ill-formed UTF-8: bad bytes are no space.

#include <string_view>
#include <vector>

namespace gossamer::harmony {

/// Bytes of the white space character that `text` begins with; 0 where it begins with none.
size_t leading_space_bytes(std::string_view text);

/// `text` without white space at its beginning, or at both ends.
std::string_view trim_left(std::string_view text);
std::string_view trim(std::string_view text);

/// The part of `text` before its first white space.
std::string_view first_word(std::string_view text);

/// The words, as parts of `text`.
std::vector<std::string_view> words_of(std::string_view text);

}  // namespace gossamer::harmony
