#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "harmony/conversation.h"
#include "tools/tool.h"

namespace gossamer::tools {

/// The version of the Model Context Protocol that is asked for.
inline constexpr char kMcpVersion[] = "2025-06-18";

/// JSON-RPC 2.0, one line each.
std::string mcp_request(int64_t id, std::string_view method, const json::value& params);
std::string mcp_notification(std::string_view method);
/// Tells the server that nobody waits for the answer to `request` any more.
std::string mcp_cancelled(int64_t request, std::string_view why);
/// The answer to a request of the server: {} to a ping, "method not found" to anything else.
std::string mcp_answer(const json::value& id, std::string_view method);

/// A message that came.
struct McpMessage {
  enum class Kind : uint8_t { kResult, kError, kRequest, kNotification };
  Kind kind = Kind::kNotification;
  json::value id;
  std::string method;  ///< kRequest, kNotification
  json::value result;  ///< kResult
  std::string error;   ///< kError: its message

  /// The request that it answers; nothing where it answers none.
  std::optional<int64_t> answered_id() const;
};
/// Total. One message, or a batch of them; of a batch what is none is left out. Errors: no JSON-RPC message.
Result<std::vector<McpMessage>> parse_mcp_messages(std::string_view text);

/// Parameters of "initialize" and "tools/call".
json::value mcp_initialize_params();
/// The version that an "initialize" result settles on. Errors: none, or one that is not spoken here.
Result<std::string> mcp_agreed_version(const json::value& result);
json::value mcp_call_params(std::string_view tool, const json::object& arguments);

/// The tools of a "tools/list" result. Those with names or schemas that a model cannot be told are left out.
std::vector<harmony::ToolDescription> mcp_tools(const json::value& result);
/// Where the list goes on; nothing: it is complete.
std::optional<std::string> mcp_next_cursor(const json::value& result);

/// What a "tools/call" result says to a model: its texts; other content is named.
ToolResult mcp_call_result(const json::value& result, size_t most_bytes);

/// `text`, cut at a character where it is longer, with a word about that.
std::string cut_text(std::string text, size_t most_bytes);

}  // namespace gossamer::tools
