#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/browser_tool.h"
#include "tools/python_tool.h"
#include "tools/tool.h"

namespace gossamer::tools {

struct ToolsetOptions {
  PythonOptions python;
  BrowserOptions browser;
};

/// The tools that a server runs.
class Toolset {
 public:
  /// `words`: "python", "browser", "mcp:URL", "mcp:COMMAND ARGUMENT...", "mcp:NAME=URL" or several of these in one,
  /// parted by commas. "demo" is python and browser. Each is tried: python in its sandbox, MCP servers are asked for
  /// their tools. Errors: a word that is none, two tools of one name, a tool that cannot be started (which, and why).
  static Result<Toolset> create(const std::vector<std::string>& words, const ToolsetOptions& options);
  /// Of tools that are there already.
  explicit Toolset(std::vector<std::shared_ptr<const Tool>> tools) : tools_(std::move(tools)) {}
  Toolset() = default;

  const std::vector<std::shared_ptr<const Tool>>& all() const { return tools_; }
  bool empty() const { return tools_.empty(); }
  /// Null: nobody answers to it.
  std::shared_ptr<const Tool> find(std::string_view recipient) const;

 private:
  std::vector<std::shared_ptr<const Tool>> tools_;
};

/// True for a text that names a tool, or begins with the name of one and a comma: "python", "browser,python",
/// "mcp:...".
bool begins_with_tool(std::string_view text);

/// One word of the flag for each tool: a comma parts where a tool's word follows it, for commands may have commas.
std::vector<std::string> split_tool_words(std::string_view words);

}  // namespace gossamer::tools
