#include "tools/toolset.h"

#include <algorithm>

#include "tools/mcp_tool.h"

namespace gossamer::tools {
namespace {

constexpr std::string_view kMcp = "mcp:";

/// True for what may follow the comma behind a tool's word; commas within commands are followed by something else.
bool ends_word(std::string_view text) {
  return text.empty() || text[0] == ',' || begins_with_tool(text);
}

Result<std::shared_ptr<Tool>> make_tool(const std::string& word, const ToolsetOptions& options) {
  if (word == "python") return make_python_tool(options.python);
  if (word == "browser") return make_browser_tool(options.browser);
  if (word.starts_with(kMcp)) return make_mcp_tool(word.substr(kMcp.size()));
  return make_error(ErrorCode::kInvalidInput,
                    "{} is no tool of this server; there are python, browser, mcp:URL and mcp:COMMAND", word);
}

}  // namespace

bool Tool::answers_to(std::string_view recipient) const {
  const harmony::ToolNamespace& space = description();
  if (!recipient.starts_with(space.name)) return false;
  const std::string_view rest = recipient.substr(space.name.size());
  if (space.tools.empty()) return rest.empty();
  return std::any_of(space.tools.begin(), space.tools.end(), [&](const harmony::ToolDescription& tool) {
    return rest.size() == tool.name.size() + 1 && rest[0] == '.' && rest.substr(1) == tool.name;
  });
}

bool begins_with_tool(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(','));
  return word == "python" || word == "browser" || word == "demo" || text.starts_with(kMcp);
}

std::vector<std::string> split_tool_words(std::string_view words) {
  std::vector<std::string> parts;
  while (!words.empty()) {
    size_t comma = words.find(',');
    while (comma != std::string_view::npos && !ends_word(words.substr(comma + 1))) comma = words.find(',', comma + 1);
    const std::string_view part = words.substr(0, comma);
    if (part == "demo") {
      parts.insert(parts.end(), {"python", "browser"});
    } else if (!part.empty()) {
      parts.emplace_back(part);
    }
    words.remove_prefix(std::min(part.size() + 1, words.size()));
  }
  return parts;
}

Result<Toolset> Toolset::create(const std::vector<std::string>& words, const ToolsetOptions& options) {
  Toolset set;
  for (const std::string& word : words) {
    for (const std::string& part : split_tool_words(word)) {
      GOS_TRY(std::shared_ptr<Tool> tool, make_tool(part, options));
      const auto has_name = [&](const auto& other) { return other->name() == tool->name(); };
      if (std::any_of(set.tools_.begin(), set.tools_.end(), has_name))
        return make_error(ErrorCode::kInvalidInput,
                          "there are two tools with the name {}; name one of them: mcp:NAME=...", tool->name());
      set.tools_.push_back(std::move(tool));
    }
  }
  return set;
}

std::shared_ptr<const Tool> Toolset::find(std::string_view recipient) const {
  for (const std::shared_ptr<const Tool>& tool : tools_)
    if (tool->answers_to(recipient)) return tool;
  return nullptr;
}

}  // namespace gossamer::tools
