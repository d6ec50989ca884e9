#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gossamer::grammar {

/// llama.cpp's GBNF as a Lark grammar, rule by rule: "root" becomes "start". Errors: what is no GBNF, with its line; a
/// rule that is used and not defined; no root.
Result<std::string> lark_from_gbnf(std::string_view text);

/// Whether a grammar that may be Lark or GBNF is GBNF: its first rule is a name and "::=".
bool is_gbnf(std::string_view text);

}  // namespace gossamer::grammar
