#pragma once

#include <string>
#include <string_view>

namespace gossamer::server {

/// `prefix` and 24 random letters and digits (142 bits, from the system's generator): "call_8sTk...".
std::string make_id(std::string_view prefix);

}  // namespace gossamer::server
