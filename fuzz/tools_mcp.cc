/// Any bytes as what an MCP server sends: refused, or understood as messages each of one kind whose texts are whole
/// characters and within their limits.

#include "base/check.h"
#include "base/utf8.h"
#include "tools/mcp_messages.h"

using namespace gossamer;
using namespace gossamer::tools;

namespace {

void check_message(const McpMessage& message) {
  (void)message.answered_id();
  if (message.kind == McpMessage::Kind::kRequest)
    GOS_CHECK(parse_json(mcp_answer(message.id, message.method), "the answer").ok());
  if (const Result<std::string> version = mcp_agreed_version(message.result); !version.ok())
    GOS_CHECK(!version.error().message.empty());
  for (const harmony::ToolDescription& tool : mcp_tools(message.result))
    GOS_CHECK(!tool.name.empty() && tool.name.size() <= 100 && tool.name.find_first_of(" <>") == std::string::npos);
  (void)mcp_next_cursor(message.result);
  const ToolResult result = mcp_call_result(message.result, 100);
  GOS_CHECK(!result.text.empty() && result.text.size() < 200 && utf8_valid(result.text));
  GOS_CHECK(utf8_valid(message.error));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<std::vector<McpMessage>> messages =
      parse_mcp_messages(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!messages.ok()) GOS_CHECK(!messages.error().message.empty());
  if (messages.ok())
    for (const McpMessage& message : *messages) check_message(message);
  return 0;
}
