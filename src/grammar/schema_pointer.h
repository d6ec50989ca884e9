#pragma once

#include <string>
#include <string_view>

namespace gossamer::grammar {

/// A key as a piece of a JSON pointer (RFC 6901): "a/b" is "/a~1b".
std::string pointer_piece(std::string_view key);

/// "a%20b" -> "a b", as pointers in a "$ref" are written.
std::string without_percents(std::string_view text);

}  // namespace gossamer::grammar
