#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "tools/tool.h"

namespace gossamer::tools {

/// The tools of an MCP server, as functions of one namespace. `what`: a URL (http, https) or a command, with "NAME="
/// before it where the name is not to be made of the host or the program. Errors: the server does not answer, or has no
/// tools.
Result<std::shared_ptr<Tool>> make_mcp_tool(const std::string& what);

}  // namespace gossamer::tools
