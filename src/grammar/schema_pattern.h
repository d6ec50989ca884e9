#pragma once

#include <string>
#include <string_view>

namespace gossamer::grammar {

/// A regular expression of a JSON schema (ECMA-262) in Rust's syntax, for texts that match in both readings: \d, \w and
/// \s are ASCII, "." is no line's end of any kind, and brackets, "&" and "~" within a class are themselves. What
/// neither knows is left for the compiler to refuse.
std::string rust_pattern(std::string_view pattern);

}  // namespace gossamer::grammar
