/// Any bytes as a message of an MCP server: refused, or understood as one kind of message whose texts are whole
/// characters and within their limits.

#include "base/check.h"
#include "base/utf8.h"
#include "tools/mcp_messages.h"

using namespace gossamer;
using namespace gossamer::tools;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<McpMessage> message = parse_mcp_message(text);
  if (!message.ok()) {
    GOS_CHECK(!message.error().message.empty());
    return 0;
  }
  (void)message->answers(1);
  if (message->kind == McpMessage::Kind::kRequest)
    GOS_CHECK(parse_json(mcp_answer(message->id, message->method), "the answer").ok());
  for (const harmony::ToolDescription& tool : mcp_tools(message->result))
    GOS_CHECK(!tool.name.empty() && tool.name.size() <= 100 && tool.name.find_first_of(" <>") == std::string::npos);
  (void)mcp_next_cursor(message->result);
  const ToolResult result = mcp_call_result(message->result, 100);
  GOS_CHECK(!result.text.empty() && result.text.size() < 200 && utf8_valid(result.text));
  GOS_CHECK(utf8_valid(message->error));
  return 0;
}
