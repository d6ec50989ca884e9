#include "cli/tools_file.h"

#include "base/mmap_file.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestFileBytes = 16 << 20;

Result<harmony::ToolDescription> tool_from_json(const json::value& entry, size_t index, const std::string& path) {
  const json::value* nested = find_member(entry, "function");
  const json::value& function = nested ? *nested : entry;
  const json::value* name = find_member(function, "name");
  if (!name || !name->is_string() || name->get_string().empty())
    return make_error(
        ErrorCode::kInvalidInput,
        "tool {} of {} has no name; a tool is {{\"type\": \"function\", \"function\": {{\"name\": ...}}}}", index + 1,
        path);
  harmony::ToolDescription tool{.name = std::string(name->get_string()), .description = {}, .parameters = {}};
  if (const json::value* description = find_member(function, "description"); description && description->is_string())
    tool.description = description->get_string();
  if (const json::value* parameters = find_member(function, "parameters"); parameters && !parameters->is_null()) {
    if (!parameters->is_object())
      return make_error(ErrorCode::kInvalidInput, "the parameters of tool {} in {} are no JSON schema (an object)",
                        tool.name, path);
    tool.parameters = *parameters;
  }
  return tool;
}

}  // namespace

Result<std::vector<harmony::ToolDescription>> parse_tools(std::string_view text, const std::string& what) {
  GOS_TRY(const json::value document, harmony::parse_json_like_serde(text, what));
  if (!document.is_array()) return make_error(ErrorCode::kInvalidInput, "{} must hold a JSON list of tools", what);
  std::vector<harmony::ToolDescription> tools;
  for (size_t i = 0; i < document.get_array().size(); ++i) {
    GOS_TRY(harmony::ToolDescription tool, tool_from_json(document.get_array()[i], i, what));
    tools.push_back(std::move(tool));
  }
  return tools;
}

Result<std::vector<harmony::ToolDescription>> read_tools_file(const std::string& path) {
  GOS_TRY(const std::string text, read_file(path, kLargestFileBytes));
  return parse_tools(text, path);
}

}  // namespace gossamer::cli
