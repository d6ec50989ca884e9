#include "tools/mcp_messages.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"

namespace gossamer::tools {
namespace {

constexpr size_t kMostTools = 128, kLongestName = 100, kLongestError = 1000;
/// What differs between them (how a connection is made, batches, the header over HTTP) is understood in each way.
constexpr std::string_view kSpokenVersions[] = {kMcpVersion, "2025-03-26", "2024-11-05"};

std::string text_of(const json::value& object, const char* key) {
  const json::value* value = find_member(object, key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

/// What one part of a result says.
std::string part_text(const json::value& part) {
  const std::string type = text_of(part, "type");
  if (type == "text") return text_of(part, "text");
  if (type == "resource")
    if (const json::value* resource = find_member(part, "resource")) {
      const std::string text = text_of(*resource, "text");
      return text.empty() ? fmt::format("(a resource: {})", text_of(*resource, "uri")) : text;
    }
  if (type == "resource_link") return fmt::format("(a resource: {})", text_of(part, "uri"));
  return fmt::format("({} content, which cannot be read here)", type.empty() ? "unknown" : type);
}

Result<McpMessage> message_of(const json::value& value) {
  if (!value.is_object()) return make_error(ErrorCode::kInvalidInput, "the message is no JSON-RPC object");
  McpMessage message;
  if (const json::value* id = find_member(value, "id")) message.id = *id;
  message.method = text_of(value, "method");
  if (!message.method.empty()) {
    message.kind = message.id.is_null() ? McpMessage::Kind::kNotification : McpMessage::Kind::kRequest;
    return message;
  }
  if (const json::value* error = find_member(value, "error")) {
    message.kind = McpMessage::Kind::kError;
    message.error = cut_text(text_of(*error, "message"), kLongestError);
    if (message.error.empty()) message.error = "the server gives an error without a message";
    return message;
  }
  const json::value* result = find_member(value, "result");
  if (!result) return make_error(ErrorCode::kInvalidInput, "the message has no method, result or error");
  message.kind = McpMessage::Kind::kResult;
  message.result = *result;
  return message;
}

}  // namespace

std::string mcp_request(int64_t id, std::string_view method, const json::value& params) {
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
}

std::string mcp_notification(std::string_view method) {
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"method", method}});
}

std::string mcp_answer(const json::value& id, std::string_view method) {
  json::object answer{{"jsonrpc", "2.0"}, {"id", id}};
  if (method == "ping")
    answer["result"] = json::object();
  else
    answer["error"] = json::object{{"code", -32601}, {"message", "method not found"}};
  return json::serialize(answer);
}

std::string mcp_cancelled(int64_t request, std::string_view why) {
  return json::serialize(json::object{{"jsonrpc", "2.0"},
                                      {"method", "notifications/cancelled"},
                                      {"params", json::object{{"requestId", request}, {"reason", why}}}});
}

std::optional<int64_t> McpMessage::answered_id() const {
  if (kind != Kind::kResult && kind != Kind::kError) return std::nullopt;
  if (id.is_int64()) return id.get_int64();
  if (!id.is_string()) return std::nullopt;
  // Some servers make texts of numbers.
  const std::string_view digits(id.get_string());
  int64_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Result<std::vector<McpMessage>> parse_mcp_messages(std::string_view text) {
  GOS_TRY(const json::value value, parse_json(text, "the message"));
  std::vector<McpMessage> messages;
  if (!value.is_array()) {
    GOS_TRY(McpMessage message, message_of(value));
    messages.push_back(std::move(message));
    return messages;
  }
  for (const json::value& entry : value.get_array())
    if (Result<McpMessage> message = message_of(entry); message.ok()) messages.push_back(std::move(*message));
  if (messages.empty()) return make_error(ErrorCode::kInvalidInput, "the batch holds no JSON-RPC message");
  return messages;
}

json::value mcp_initialize_params() {
  return json::object{{"protocolVersion", kMcpVersion},
                      {"capabilities", json::object()},
                      {"clientInfo", json::object{{"name", "gossamer"}, {"version", "1"}}}};
}

json::value mcp_call_params(std::string_view tool, const json::object& arguments) {
  return json::object{{"name", tool}, {"arguments", arguments}};
}

Result<std::string> mcp_agreed_version(const json::value& result) {
  std::string version = text_of(result, "protocolVersion");
  if (std::find(std::begin(kSpokenVersions), std::end(kSpokenVersions), version) != std::end(kSpokenVersions))
    return version;
  return make_error(
      ErrorCode::kUnsupported,
      "the server speaks version \"{}\" of the protocol; gossamer speaks {}: use another release of the server",
      cut_text(std::move(version), kLongestName), fmt::join(kSpokenVersions, ", "));
}

std::vector<harmony::ToolDescription> mcp_tools(const json::value& result) {
  std::vector<harmony::ToolDescription> tools;
  const json::value* list = find_member(result, "tools");
  if (!list || !list->is_array()) return tools;
  for (const json::value& entry : list->get_array()) {
    harmony::ToolDescription tool;
    tool.name = text_of(entry, "name");
    tool.description = text_of(entry, "description");
    if (!is_tool_name(tool.name) || tools.size() >= kMostTools) continue;
    if (const json::value* schema = find_member(entry, "inputSchema"); schema && schema->is_object())
      tool.parameters = *schema;
    tools.push_back(std::move(tool));
  }
  return tools;
}

std::optional<std::string> mcp_next_cursor(const json::value& result) {
  std::string cursor = text_of(result, "nextCursor");
  if (cursor.empty()) return std::nullopt;
  return cursor;
}

ToolResult mcp_call_result(const json::value& result, size_t most_bytes) {
  ToolResult out;
  const json::value* is_error = find_member(result, "isError");
  out.failed = is_error && is_error->is_bool() && is_error->get_bool();
  if (const json::value* content = find_member(result, "content"); content && content->is_array()) {
    for (const json::value& part : content->get_array()) {
      if (!out.text.empty()) out.text += "\n";
      out.text += part_text(part);
      if (out.text.size() > most_bytes) break;
    }
  }
  if (out.text.empty())
    if (const json::value* structured = find_member(result, "structuredContent"))
      out.text = json::serialize(*structured);
  if (out.text.empty()) out.text = out.failed ? "The tool failed without a word." : "(The tool gave no text.)";
  out.text = cut_text(std::move(out.text), most_bytes);
  return out;
}

std::string cut_text(std::string text, size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  const size_t left_out = text.size() - most_bytes;
  // Back to where a character begins.
  while (most_bytes > 0 && (static_cast<unsigned char>(text[most_bytes]) & 0xc0) == 0x80) --most_bytes;
  text.resize(most_bytes);
  return text + fmt::format("\n({} bytes more were cut.)", left_out);
}

}  // namespace gossamer::tools
