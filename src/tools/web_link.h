#pragma once

#include <string>
#include <string_view>

namespace gossamer::tools {

/// `link` as a browser at `base` would understand it: "../b?x=1" at "http://h/a/c" is "http://h/b?x=1". Empty: no link
/// to another page (a fragment, mailto:, javascript:).
std::string resolve_link(const std::string& base, std::string_view link);

}  // namespace gossamer::tools
