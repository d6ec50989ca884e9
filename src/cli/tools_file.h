#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harmony/conversation.h"

namespace gossamer::cli {

/// The tools of a JSON text; `what` names it in errors. Otherwise as read_tools_file().
Result<std::vector<harmony::ToolDescription>> parse_tools(std::string_view text, const std::string& what);

/// Reads a JSON list of function tools as OpenAI's API takes them, {"type": "function", "function": {"name",
/// "description", "parameters"}} or the flat form without the inner object. Errors: the file cannot be read; it is no
/// such list (the sentence names the entry).
Result<std::vector<harmony::ToolDescription>> read_tools_file(const std::string& path);

}  // namespace gossamer::cli
