#pragma once

#include <string>
#include <string_view>

namespace gossamer::tools {

/// Text of HTML with its entities (&amp;, &#65;, &#x41;) made characters; unknown ones stay as they are.
std::string without_entities(std::string_view text);

}  // namespace gossamer::tools
