#pragma once

namespace gossamer {

/// The end of the first piece of [begin, end) under the split pattern of o200k_harmony, byte for byte as tiktoken's
/// regular expression cuts it. The text is well-formed UTF-8 and not empty, so a piece is never empty. Linear: looks at
/// most one character (and one contraction) past the piece, but for whitespace, whose whole run is looked at.
///
/// The pattern, where U = Lu Lt Lm Lo M and L = Ll Lm Lo M (the first branch that matches wins; each backtracks as
/// usual):
///   [^\r\n\p{L}\p{N}]?[U]*[L]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
///   [^\r\n\p{L}\p{N}]?[U]+[L]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
///   \p{N}{1,3}
///    ?[^\s\p{L}\p{N}]+[\r\n/]*
///   \s*[\r\n]+
///   \s+(?!\S)
///   \s+
const char* o200k_piece_end(const char* begin, const char* end);

/// The pattern as files spell it.
extern const char kO200kPattern[];

}  // namespace gossamer
