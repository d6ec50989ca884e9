#pragma once

#include <string>
#include <string_view>

namespace gossamer::cli {

/// `text` (whole UTF-8 characters) as it may go to a terminal: control characters other than newline and tab, which
/// could move the cursor, retitle the window or worse, become visible signs. Text from a model or a file goes through
/// this.
std::string printable(std::string_view text);

}  // namespace gossamer::cli
