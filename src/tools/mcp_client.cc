#include "tools/mcp_client.h"

#include <algorithm>

namespace gossamer::tools {
namespace {

constexpr int kMostListPages = 20;

}  // namespace

Result<json::value> McpClient::exchange(std::string_view method, const json::value& params, Clock::time_point deadline,
                                        const Cancellation& cancelled) {
  const int64_t id = next_id_++;
  GOS_TRY(McpMessage message, transport_->ask(id, mcp_request(id, method, params), deadline, cancelled));
  if (message.kind == McpMessage::Kind::kError)
    return make_error(ErrorCode::kInvalidInput, "the server refuses: {}", message.error);
  return std::move(message.result);
}

Status McpClient::begin(Clock::time_point deadline, const Cancellation& cancelled) {
  GOS_TRY_STATUS(transport_->open(deadline, cancelled));
  const Result<json::value> greeted = exchange("initialize", mcp_initialize_params(), deadline, cancelled);
  if (!greeted.ok()) return greeted.error();
  return transport_->tell(mcp_notification("notifications/initialized"), deadline, cancelled);
}

bool McpClient::take_turn(Clock::time_point deadline, const Cancellation& cancelled) {
  constexpr auto kLook = std::chrono::milliseconds(50);
  std::unique_lock lock(mutex_);
  while (!turn_is_free_.wait_for(lock, kLook, [this] { return !busy_; }))
    if (cancelled.requested() || Clock::now() >= deadline) return false;
  busy_ = true;
  return true;
}

void McpClient::give_turn() {
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
  }
  turn_is_free_.notify_one();
}

Result<json::value> McpClient::request(std::string_view method, const json::value& params, Clock::time_point deadline,
                                       const Cancellation& cancelled) {
  if (!take_turn(deadline, cancelled))
    return make_error(ErrorCode::kBusy, "the server was busy with other calls until the time was over");
  Result<json::value> result = request_in_turn(method, params, deadline, cancelled);
  give_turn();
  return result;
}

Result<json::value> McpClient::request_in_turn(std::string_view method, const json::value& params,
                                               Clock::time_point deadline, const Cancellation& cancelled) {
  const bool was_closed = transport_->is_closed();
  if (was_closed) GOS_TRY_STATUS(begin(deadline, cancelled));
  Result<json::value> result = exchange(method, params, deadline, cancelled);
  if (result.ok() || was_closed || !transport_->may_repeat()) return result;
  GOS_TRY_STATUS(begin(deadline, cancelled));
  return exchange(method, params, deadline, cancelled);
}

Result<std::vector<harmony::ToolDescription>> McpClient::list_tools(Clock::time_point deadline,
                                                                    const Cancellation& cancelled) {
  std::vector<harmony::ToolDescription> tools;
  json::object params;
  for (int page = 0; page < kMostListPages; ++page) {
    GOS_TRY(const json::value result, request("tools/list", params, deadline, cancelled));
    for (harmony::ToolDescription& tool : mcp_tools(result)) tools.push_back(std::move(tool));
    const std::optional<std::string> cursor = mcp_next_cursor(result);
    if (!cursor) break;
    params["cursor"] = *cursor;
  }
  return tools;
}

Result<json::value> McpClient::call(std::string_view tool, const json::object& arguments, Clock::time_point deadline,
                                    const Cancellation& cancelled) {
  return request("tools/call", mcp_call_params(tool, arguments), deadline, cancelled);
}

}  // namespace gossamer::tools
