#pragma once

#include <string>

#include "base/result.h"

namespace gossamer::cli {

/// True where stdin brings text: it is a pipe or a file, not a terminal or /dev/null.
bool stdin_has_text();

/// The prompt of a command: `words` from the command line, then a blank line and all of stdin where it brings text.
/// Errors: stdin cannot be read.
Result<std::string> read_prompt(const std::string& words);

}  // namespace gossamer::cli
