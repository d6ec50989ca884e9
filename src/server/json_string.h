#pragma once

#include <string>
#include <string_view>

namespace gossamer::server {

/// Appends `text` as a JSON string, with its quotes. `text`: well-formed UTF-8. For answers that are written a token at
/// a time, where a tree of values would cost more than the text.
void append_json_string(std::string_view text, std::string& out);
std::string json_string(std::string_view text);

}  // namespace gossamer::server
