#include "tools/mcp_tool.h"

#include <algorithm>
#include <utility>

#include "tools/mcp_client.h"

namespace gossamer::tools {
namespace {

constexpr double kStartSeconds = 30;
constexpr double kCallSeconds = 60;
constexpr std::string_view kReserved[] = {"functions", "python", "browser", "container"};

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_url(std::string_view what) {
  return what.starts_with("http://") || what.starts_with("https://");
}

/// A name made of a host, or of a program's.
std::string name_from(std::string_view what) {
  if (is_url(what)) {
    what.remove_prefix(what.find("://") + 3);
    what = what.substr(0, what.find_first_of("/:?"));
  } else {
    what = what.substr(0, what.find(' '));
    what = what.substr(what.rfind('/') + 1);
  }
  std::string name;
  for (const char c : what) name += is_name_letter(c) ? c : '_';
  return name;
}

/// "NAME=" before a URL or command, taken off; empty: there is none.
std::string take_name(std::string& what) {
  const size_t equals = what.find('=');
  const bool is_name = equals != std::string::npos && equals > 0 && equals <= 64 &&
                       std::all_of(what.begin(), what.begin() + static_cast<ptrdiff_t>(equals), is_name_letter);
  if (!is_name) return {};
  std::string name = what.substr(0, equals);
  what.erase(0, equals + 1);
  return name;
}

class McpSession final : public ToolSession {
 public:
  McpSession(std::shared_ptr<McpClient> client, std::string name)
      : client_(std::move(client)), name_(std::move(name)) {}

  ToolResult call(std::string_view recipient, std::string_view arguments, const CallLimits& limits,
                  const Cancellation& cancelled) override {
    const Result<json::value> parsed = parse_json(arguments.empty() ? "{}" : arguments, "the arguments");
    if (!parsed.ok() || !parsed->is_object())
      return {"The arguments must be a JSON object" + (parsed.ok() ? std::string(".") : ": " + parsed.error().message),
              true,
              {}};
    const std::string_view tool = recipient.substr(std::min(recipient.size(), name_.size() + 1));
    const Result<json::value> result =
        client_->call(tool, parsed->get_object(), std::min(limits.deadline, after(kCallSeconds)), cancelled);
    if (!result.ok())
      return {cut_text(fmt::format("The call failed: {}.", result.error().message), limits.output_bytes), true, {}};
    return mcp_call_result(*result, limits.output_bytes);
  }

 private:
  const std::shared_ptr<McpClient> client_;
  const std::string name_;
};

class McpTool final : public Tool {
 public:
  McpTool(std::shared_ptr<McpClient> client, harmony::ToolNamespace description)
      : client_(std::move(client)), description_(std::move(description)) {}

  Kind kind() const override { return Kind::kMcp; }
  const harmony::ToolNamespace& description() const override { return description_; }
  std::unique_ptr<ToolSession> begin() const override {
    return std::make_unique<McpSession>(client_, description_.name);
  }

 private:
  const std::shared_ptr<McpClient> client_;
  const harmony::ToolNamespace description_;
};

}  // namespace

Result<std::shared_ptr<Tool>> make_mcp_tool(const std::string& what) {
  std::string rest = what;
  std::string name = take_name(rest);
  if (name.empty()) name = name_from(rest);
  const bool is_reserved = std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
  if (name.empty() || is_reserved)
    return make_error(ErrorCode::kInvalidInput, "mcp:{} needs another name than \"{}\": mcp:NAME=...", what, name);
  auto client = std::make_shared<McpClient>(is_url(rest) ? make_mcp_http(rest) : make_mcp_stdio(rest));
  const Cancellation never;
  Result<std::vector<harmony::ToolDescription>> tools = client->list_tools(after(kStartSeconds), never);
  if (!tools.ok())
    return make_error(ErrorCode::kIo, "the MCP server {} cannot be used: {}", name, tools.error().message);
  if (tools->empty()) return make_error(ErrorCode::kUnsupported, "the MCP server {} has no tools", name);
  harmony::ToolNamespace description{name, std::nullopt, std::move(*tools)};
  return std::shared_ptr<Tool>(std::make_shared<McpTool>(std::move(client), std::move(description)));
}

}  // namespace gossamer::tools
